"""Training that goes on from a model: its weights, its tokenizer, its lineage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.conftest import go, small
from tests.train.faulty import FEW_SAMPLES
from tuili.data import sources
from tuili.errors import ConfigError, InputError, ModelFolderError
from tuili.model import load_model
from tuili.store import model_hash, read_lineage
from tuili.store.lineage import LINEAGE_FILE
from tuili.train import run as run_module
from tuili.train import training_stream
from tuili.train.objective import Objective, ObjectiveResult
from tuili.train.recipe import Recipe
from tuili.train.trainer import TrainingSetup

pytestmark = pytest.mark.usefixtures("few_samples")

EAGER = "train.compile=off"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out: Path = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", FEW_SAMPLES)
        go(small("data.domains=[syllogism]", EAGER, steps=2), out)
    return out


@pytest.fixture
def first(trained: Path, tmp_path: Path) -> Path:
    """A model to start from, which a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "first")) / "model"


def starting(model: Path, *overrides: str) -> Recipe:
    """A recipe that starts from a model and has one step, which changes next to nothing."""
    return small(f"model.start={model}", EAGER, "optimizer.learning_rate=1e-9", *overrides, steps=1)


def test_weights_and_tokenizer_are_those_of_the_model(first: Path, tmp_path: Path) -> None:
    result, shown = go(starting(first, "train.seed=2"), tmp_path / "second")
    assert result.model is not None
    assert "learning the tokenizer" not in shown
    before, after = load_model(first), load_model(result.model)
    assert after.tokenizer.backend.get_vocab() == before.tokenizer.backend.get_vocab()
    now = after.model.state_dict()
    assert now.keys() == before.model.state_dict().keys()
    for name, tensor in before.model.named_parameters():
        torch.testing.assert_close(now[name], tensor, rtol=0, atol=1e-6)


def test_the_lineage_goes_on_and_names_the_parent(first: Path, tmp_path: Path) -> None:
    result, _ = go(starting(first), tmp_path / "second")
    assert result.model is not None
    older, newer = read_lineage(result.model)
    assert (older,) == read_lineage(first)
    assert newer.parent == older.hash == model_hash(first)
    assert newer.hash == model_hash(result.model)


def test_a_run_that_started_from_a_model_resumes_to_the_same_bits(
    first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small(f"model.start={first}", EAGER, "checkpoint.interval=1", steps=4)
    go(recipe, tmp_path / "whole")
    learn, calls = Objective.__call__, iter(range(3))  # one pass comes before the steps

    def dies(self: Objective, *arguments: Any) -> ObjectiveResult:
        if next(calls, None) is None:
            raise RuntimeError("power cut")
        return learn(self, *arguments)

    monkeypatch.setattr(Objective, "__call__", dies)
    with pytest.raises(RuntimeError, match="power cut"):
        go(recipe, tmp_path / "cut")
    monkeypatch.setattr(Objective, "__call__", learn)
    go(recipe, tmp_path / "cut", resume=True)
    ends = [tmp_path / name / "model" / "model.safetensors" for name in ("whole", "cut")]
    assert ends[0].read_bytes() == ends[1].read_bytes()


def test_a_run_resumes_only_from_the_model_that_it_began_with(first: Path, tmp_path: Path) -> None:
    go(starting(first), tmp_path / "second")
    (first / "config.json").write_text((first / "config.json").read_text() + "\n")
    with pytest.raises(InputError, match=r"the run began with hash of model.start = \w{64}, not \w{64}: resume it"):
        go(starting(first), tmp_path / "second", resume=True)


def test_the_parent_is_the_model_that_was_there_at_the_start(
    first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (older,) = read_lineage(first)
    build_training = run_module.build_training

    def build_and_lose(*arguments: Any) -> TrainingSetup:
        setup = build_training(*arguments)
        shutil.rmtree(first)
        return setup

    monkeypatch.setattr(run_module, "build_training", build_and_lose)
    result, _ = go(starting(first), tmp_path / "second")
    assert result.model is not None
    assert [entry.hash for entry in read_lineage(result.model)][:1] == [older.hash]


def test_the_experts_keep_the_names_of_the_model(first: Path, tmp_path: Path) -> None:
    config = json.loads((first / "config.json").read_text())
    names = config["domains"] = ["mechanics" if name == "physics" else name for name in config["domains"]]
    (first / "config.json").write_text(json.dumps(config))
    (first / LINEAGE_FILE).unlink()
    recipe = starting(first, "data.domains=[physics]", "curriculum.kind=uniform")
    block = next(training_stream(recipe, load_model(first).tokenizer))
    assert set(block.domains_BT[block.domains_BT >= 0].tolist()) == {names.index("mechanics")}
    result, _ = go(recipe, tmp_path / "second")
    assert result.model is not None
    assert load_model(result.model).model.config.domains == names


def test_fields_without_weights_may_differ(first: Path, tmp_path: Path) -> None:
    result, shown = go(starting(first, "model.overrides.exit_threshold=0.7"), tmp_path / "second")
    assert result.model is not None
    assert load_model(result.model).model.config.exit_threshold == 0.7
    assert f"not as in {first}: exit_threshold from 0.97 to 0.7; model.overrides can keep what" in shown
    _, shown = go(starting(first), tmp_path / "third")
    assert "not as in" not in shown


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.overrides.intermediate_size=48",
            "does not fit model.preset = nano with model.overrides = .*: mismatched",
        ),
        ("model.preset=micro", "does not fit model.preset = micro with model.overrides = "),
        ("model.overrides.depth=3", "unknown model field 'depth'"),
        ("data.vocabulary=300", r"data.vocabulary = 300: the tokenizer has \d+"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(first: Path, tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        go(starting(first, override), tmp_path / "second")


def test_a_start_that_is_no_model_is_refused_before_anything_is_written(first: Path, tmp_path: Path) -> None:
    for start, message in (
        (Path("nowhere"), "model 'nowhere' not found"),
        (first.parent, "first has no config.json: give .*first/model$"),
    ):
        with pytest.raises(ModelFolderError, match=message):
            go(starting(start), tmp_path / "second")
    assert not (tmp_path / "second").exists()
    (first.parent / "run.json").unlink()
    shutil.rmtree(first.parent / "checkpoints")
    with pytest.raises(InputError, match="is where this run writes its own model: choose another --out"):
        go(starting(first), first.parent)
