"""A model that runs on a device of its own, beside the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.dense import asked, run
from tests.engine.runtime.test_dense_thinking import EXITS, made, texts_of
from tests.other_device import other_device
from tuili.engine import Numbers, Sampling, Scheduler, Sequence, load_decoder, load_engine, load_scheduler
from tuili.engine.runtime import load
from tuili.errors import InputError
from tuili.model import load_model, save_model
from tuili.store import LineageEntry, Quantization

PROMPTS = ["What is 1 + 1?", "2 + 23?", "1 + 2 + 3 + 4?"]


def saved(folder: Path, trained: Quantization | None = None) -> Path:
    """A small model of random weights, which may have learnt to compute in whole numbers."""
    model, tokenizer = tiny_model(hidden_size=64, intermediate_size=64, moe_intermediate_size=32)
    randomize_weights(model, std=0.1)
    if trained is not None:
        model.quantize(trained)
    save_model(folder, model, tokenizer, [LineageEntry("train")])
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved(tmp_path / "model")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models in folders run on the other device."""
    monkeypatch.setattr(load, "device_of", lambda source, wanted: "meta" if wanted == "cuda" else "cpu")


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(
    ("numbers", "trained"),
    [("fp32", None), ("bf16", None), ("int8", None), ("auto", Quantization()), ("auto", Quantization("w4a8"))],
    ids=str,
)
def test_another_device_writes_the_same(tmp_path: Path, numbers: Numbers, trained: Quantization | None) -> None:
    """Nothing that a step computes takes tensors of both devices."""
    folder = saved(tmp_path / "model", trained)
    here = load_decoder(folder, max_new_tokens=5, runner="torch", numbers=numbers)
    with other_device():
        decoder = load_decoder(folder, max_new_tokens=5, device="cuda", numbers=numbers)
        written = decoder.generate(PROMPTS)
    assert decoder.runtime.runner == "torch on meta"
    assert [(one.tokens, one.depths) for one in written] == [(one.tokens, one.depths) for one in here.generate(PROMPTS)]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("numbers", ["fp32", "int8"])
def test_so_does_an_imported_model(tmp_path: Path, numbers: Numbers) -> None:
    folder, texts, biased = made(tmp_path / "model", EXITS), texts_of(2), Sampling(logit_bias={3: 2.0})

    def decoded(scheduler: Scheduler) -> list[Sequence]:
        return run(scheduler, asked(texts, 4, exit_threshold=0.6, sampling=biased))

    here = decoded(load_scheduler(folder, runner="torch", numbers=numbers))
    with other_device():
        scheduler = load_scheduler(folder, device="cuda", numbers=numbers)
        written = decoded(scheduler)
    assert scheduler.runner.runtime.runner == "torch on meta"
    assert [(one.tokens, one.depths) for one in written] == [(one.tokens, one.depths) for one in here]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^device cuda is asked for, and torch finds no GPU here: use cpu$"):
        load_engine(folder, device="cuda")


def test_a_gpu_that_is_too_small_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("tuili.engine.runtime.torch.load.TorchStep", full)
    told = r"in bf16 with 16 texts at a time is too large for the memory of device cpu: use numbers bf16 or int8, or"
    with pytest.raises(InputError, match=told):
        load_engine(folder, runner="torch", numbers="bf16")


def test_a_model_in_memory_runs_where_it_is(folder: Path) -> None:
    loaded = load_model(folder)
    assert load_decoder(loaded, device="cpu", runner="torch").runtime.runner == "torch"
    with pytest.raises(InputError, match=r"^device cuda is asked for, and the model is on cpu: move it there first$"):
        load_decoder(loaded, device="cuda")
