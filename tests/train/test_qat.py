"""Training in whole numbers: from its step on, saved in them, and resumed as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.train.conftest import go, small
from tests.train.faulty import FEW_SAMPLES
from tuili.data import sources
from tuili.errors import ConfigError
from tuili.model import TuiliForCausalLM, load_model
from tuili.model.fake_quantization import RoundableLinear
from tuili.store import Quantization, open_model, read_lineage
from tuili.train import loop
from tuili.train.qat import QatConfig
from tuili.train.trainer import Trainer

pytestmark = pytest.mark.usefixtures("few_samples")

INT8 = ("qat.numbers=int8", "qat.start=3")
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was left alone, once for all tests."""
    out: Path = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", FEW_SAMPLES)
        go(small(*INT8), out)
    return out


def test_numbers_begin_with_their_step():
    config = QatConfig(numbers="w4a8", start=3, cache="int8")
    assert [config.at(step) for step in (0, 2)] == [None, None]
    assert config.at(3) == config.at(99) == Quantization("w4a8", "int8")
    assert QatConfig().at(99) is None


@pytest.mark.parametrize("kernels", ["torch", "native"])
def test_a_run_learns_and_saves_whole_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: str):
    seen = list[Quantization | None]()
    forward = RoundableLinear.forward

    def watched(self: RoundableLinear, input: torch.Tensor) -> torch.Tensor:
        if self.use == "head" and self.training:
            seen.append(self.rounding)
        return forward(self, input)

    monkeypatch.setattr(RoundableLinear, "forward", watched)
    result, _ = go(small(*INT8, "qat.cache=int8", f"train.kernels={kernels}"), tmp_path)
    before_the_run = 1
    assert seen == [None] * (before_the_run + 3) + [Quantization("int8", "int8")] * 3
    assert result.model is not None
    assert open_model(result.model).shape.quantization == Quantization("int8", "int8")
    kinds = {tensor.dtype for tensor in load_file(result.model / WEIGHTS).values()}
    assert kinds == {torch.int8, torch.float32}
    assert read_lineage(result.model)[-1].recipe["qat"] == {"numbers": "int8", "start": 3, "cache": "int8"}


def test_before_its_step_a_run_is_one_without_it(tmp_path: Path):
    losses = []
    for overrides in ([], ["qat.numbers=w4a8", "qat.start=4"]):
        out = tmp_path / str(len(losses))
        go(small(*overrides, "log.interval=1", steps=5), out)
        lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines if "loss" in line])
    assert losses[0][:4] == losses[1][:4]
    assert losses[0][4:] != losses[1][4:]


def test_a_resumed_run_gives_the_same_bytes(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = small(*INT8)
    steps = loop.Trainer.steps

    def stopping(self: Trainer, stop: object) -> object:
        return steps(self, lambda: self.state.step >= 4)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Trainer, "steps", stopping)
        assert go(recipe, tmp_path / "cut")[0].model is None
    resumed, _ = go(recipe, tmp_path / "cut", resume=True)
    assert (resumed.model / WEIGHTS).read_bytes() == (whole / "model" / WEIGHTS).read_bytes()


def test_a_run_that_only_had_to_be_written_is_written_in_whole_numbers(whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    weights = (out / "model" / WEIGHTS).read_bytes()
    shutil.rmtree(out / "model")
    again, _ = go(small(*INT8), out, resume=True)
    assert (again.model / WEIGHTS).read_bytes() == weights


def test_another_run_goes_on_from_what_the_numbers_stand_for(whole: Path, tmp_path: Path):
    before = load_model(whole / "model").model
    second, told = go(small(f"model.start={whole / 'model'}", "optimizer.learning_rate=1e-12", steps=1), tmp_path)
    after = load_model(second.model).model
    assert after.config.quantization is None
    assert "quantization" not in told
    assert isinstance(before, TuiliForCausalLM)
    for name, weight in before.named_parameters():
        assert torch.allclose(after.state_dict()[name], weight, atol=1e-6), name


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["qat.numbers=int8", "qat.start=6"], r"qat.start = 6: the run has 6 steps, none of which would learn int8"),
        (["qat.numbers=int3"], r'qat.numbers = "int3"'),
        (["qat.cache=int8"], r'qat.cache = "int8": goes with qat.numbers, which are not set'),
        (["qat.numbers=w4a8", "model.overrides.hidden_size=48"], r"qat.numbers = .*groups of 32 inputs do not divide"),
        (["model.overrides.quantization={numbers: int8}"], r"unknown model field 'quantization'"),
    ],
)
def test_what_a_run_cannot_learn_is_refused(overrides: list[str], reason: str):
    with pytest.raises(ConfigError, match=reason):
        small(*overrides)
