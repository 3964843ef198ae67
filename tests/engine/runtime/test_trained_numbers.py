"""A model that was trained for whole numbers runs in the very ones that it has learnt, by every runner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.texts import Texts
from tests.model.factors import factorised
from tests.native.calling import library
from tests.native.models import torch_logits
from tuili.engine import load_runner
from tuili.engine.runtime.choice import Choice, choose
from tuili.engine.runtime.native.load import native_step
from tuili.engine.runtime.torch.load import torch_step
from tuili.errors import InputError
from tuili.model import LoadedModel, load_model, save_model
from tuili.store import LineageEntry, Quantization, open_model

WIDE = {"hidden_size": 64, "intermediate_size": 64, "moe_intermediate_size": 40, "head_dim": 16}
TRAINED = {
    "int8": Quantization(), "int4": Quantization("w4a8"), "with a cache": Quantization("int8", "int8"),
    "factors of int8": Quantization(), "factors of int4": Quantization("w4a8"),
}  # fmt: skip
IDS = [1, *range(20, 60), 12, 12, *range(30, 50)]


@pytest.fixture(scope="module", params=TRAINED)
def learnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """A model in memory with full weights, which computes in whole numbers, and its folder."""
    model, tokenizer = (factorised if "factors" in request.param else tiny_model)(**WIDE)
    randomize_weights(model, std=0.1).quantize(TRAINED[request.param])
    folder = tmp_path_factory.mktemp("learnt") / "model"
    save_model(folder, model.eval(), tokenizer, [LineageEntry("train")])
    return LoadedModel(model, tokenizer, folder)


def own(learnt: LoadedModel) -> str:
    return "int4" if learnt.model.config.quantization["numbers"] == "w4a8" else "int8"


def logits(step) -> np.ndarray:
    return np.stack(Texts(step).read(0, IDS))


def choice_of(learnt: LoadedModel, runner: str = "native", cache: str | None = None) -> Choice:
    trained = learnt.model.config.shape.quantization
    return choose(runner, "auto", cache or ("fp32" if trained.cache is None else "auto"), lambda: "", trained=trained)


def test_it_runs_in_its_numbers_unless_others_are_asked_for(learnt):
    trained = learnt.model.config.shape.quantization
    cache = trained.cache or "bf16"
    assert choose("auto", "auto", "auto", lambda: "", trained=trained) == Choice("native", own(learnt), cache)
    assert choose("torch", "auto", "auto", lambda: "", trained=trained).numbers == own(learnt)
    assert choose("native", "bf16", "fp32", lambda: "", trained=trained) == Choice("native", "bf16", "fp32")
    other = {"int8": "int4", "int4": "int8"}[own(learnt)]
    for runner in ("native", "torch"):
        with pytest.raises(
            InputError, match=f"trained for {own(learnt)}, and {other} would round it again: leave numbers"
        ):
            choose(runner, other, "auto", lambda: "", trained=trained)


def logits_in(learnt: LoadedModel, trained: Quantization | None) -> np.ndarray:
    """The logits [X, T, V] at every exit by the model itself, computing in these numbers."""
    model, before = learnt.model, learnt.model.config.shape.quantization
    model.quantize(trained)
    logits_XTV = torch_logits(model, IDS)
    model.quantize(before)
    return logits_XTV


def test_the_native_step_gives_the_logits_of_the_model(learnt):
    """Both make sums of the same whole numbers; what differs by an ulp may be rounded to another one."""
    library()
    native = logits(native_step(open_model(learnt.path), choice_of(learnt), 1, 1, verifies=False))
    rounded = logits_in(learnt, learnt.model.config.shape.quantization)
    plain = logits_in(learnt, None)
    assert np.linalg.norm(native - rounded) < 0.1 * np.linalg.norm(plain - rounded)
    assert np.linalg.norm(plain - rounded) > 1e-3 * np.linalg.norm(plain)


def test_a_folder_and_a_model_in_memory_run_alike_to_the_bit(learnt):
    library()
    loaded = load_model(learnt.path)
    steps = [
        native_step(source, choice_of(learnt), 1, 1, verifies=False)
        for source in (open_model(learnt.path), loaded, learnt)
    ]
    first, *others = (logits(step) for step in steps)
    assert all(np.array_equal(first, other) for other in others)


def test_the_torch_step_is_the_slow_twin(learnt):
    library()
    choice = choice_of(learnt, "torch")
    slow, other = (
        logits(torch_step(source, choice, None, 1, verifies=False)) for source in (open_model(learnt.path), learnt)
    )
    native = logits(native_step(open_model(learnt.path), choice_of(learnt, cache="fp32"), 1, 1, verifies=False))
    assert np.linalg.norm(slow - native) < 0.01 * np.linalg.norm(native)
    assert np.linalg.norm(slow - other) < 1e-4 * np.linalg.norm(slow)


def test_in_fp32_it_runs_with_the_weights_that_its_numbers_stand_for(learnt):
    library()
    choice = Choice("native", "fp32", "fp32")
    native = logits(native_step(open_model(learnt.path), choice, 1, 1, verifies=False))
    loaded = load_model(learnt.path)
    loaded.model.quantize(None)
    again = logits(native_step(LoadedModel(loaded.model, loaded.tokenizer, learnt.path), choice, 1, 1, verifies=False))
    assert np.array_equal(native, again)


def test_the_runtime_says_what_it_runs_in(learnt):
    cache = "" if learnt.model.config.quantization["cache"] else ", cache bf16"
    assert str(load_runner(Path(learnt.path)).runtime) == f"native, {own(learnt)}{cache}"
    assert str(load_runner(Path(learnt.path), runner="torch").runtime) == f"torch, {own(learnt)}"
