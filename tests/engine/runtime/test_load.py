"""Runners are what was asked for, or the best that is to be had; what they compute with is in memory of their own."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.native.calling import library
from tuili.cli.app import main
from tuili.engine import (
    Decoder,
    Numbers,
    Promises,
    RunnerName,
    Runtime,
    load_decoder,
    load_engine,
    load_promises,
    load_runner,
)
from tuili.errors import InputError, ModelFolderError
from tuili.model import load_model, save_model
from tuili.native import Unavailable
from tuili.store import LineageEntry, open_model

PROMPTS = ["What is 1 + 1?", "2 + 23?", "1 + 2 + 3 + 4?"]
MISSING = "there is no compiler"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model, tokenizer = tiny_model()
    save_model(tmp_path / "model", randomize_weights(model), tokenizer, [LineageEntry("train")])
    return tmp_path / "model"


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.engine.runtime.native.load.load", lambda: Unavailable(MISSING))


def written(decoder: Decoder) -> list[list[int]]:
    return [generation.tokens for generation in decoder.generate(PROMPTS)]


@pytest.mark.parametrize("numbers", ["fp32", "bf16", "int8", "int4"])
def test_a_folder_and_a_model_in_memory_are_run_alike(folder: Path, numbers: Numbers) -> None:
    library()
    sources = (folder, open_model(folder), load_model(folder))
    decoders = [load_decoder(source, 4, max_new_tokens=12, runner="native", numbers=numbers) for source in sources]
    assert {decoder.runtime.runner for decoder in decoders} == {"native"}
    assert {str(decoder.runtime).split(",")[1].strip() for decoder in decoders} == {numbers}
    first, *others = map(written, decoders)
    assert others == [first, first]


@pytest.mark.parametrize(("runner", "numbers"), [("native", "int8"), ("native", "fp32"), ("torch", "fp32")])
def test_a_folder_that_is_overwritten_or_cut_off_changes_nothing_at_work(
    folder: Path, runner: RunnerName, numbers: Numbers
) -> None:
    if runner == "native":
        library()
    decoder = load_decoder(folder, 4, max_new_tokens=12, runner=runner, numbers=numbers)
    before = written(decoder)
    weights = folder / "model.safetensors"
    weights.write_bytes(b"\1" * weights.stat().st_size)
    assert written(decoder) == before
    weights.write_bytes(b"")
    assert written(decoder) == before


@pytest.mark.parametrize("runner", ["native", "torch"])
def test_a_folder_that_is_replaced_between_opening_and_reading_is_refused(folder: Path, runner: RunnerName) -> None:
    if runner == "native":
        library()
    stored = open_model(folder)
    model, tokenizer = tiny_model()
    save_model(folder, randomize_weights(model, seed=1), tokenizer, [LineageEntry("train")])
    with pytest.raises(ModelFolderError, match=r"config\.json was written while the model was read: load it again"):
        load_runner(stored, runner=runner)
    load_runner(folder, runner=runner)


def test_promises_about_weights_that_came_after_those_that_were_loaded_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced(path: Path, threshold: float, runtime: Runtime, refines_untraced: bool | None) -> Promises:
        weights = path / "model.safetensors"
        weights.write_bytes(weights.read_bytes())
        return load_promises(path, threshold, runtime, refines_untraced)

    monkeypatch.setattr("tuili.engine.runtime.load.load_promises", replaced)
    with pytest.raises(ModelFolderError, match=r"model\.safetensors was written while"):
        load_engine(folder)


def test_without_the_library_torch_computes_and_the_log_says_why(
    folder: Path, no_library: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert str(load_runner(folder).runtime) == "torch, fp32"
    (line,) = caplog.messages
    assert line == "model model runs by torch, fp32: the native runner cannot be used: there is no compiler"


def test_what_cannot_be_had_is_refused_with_the_reason(
    folder: Path, no_library: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=f"the native runner cannot be used: {MISSING}"):
        load_engine(folder, runner="native")
    with pytest.raises(InputError, match=f"int4 is for the native runner alone, and .*{MISSING}"):
        load_decoder(folder, numbers="int4")
    with pytest.raises(InputError, match=rf"cache bf16 is asked for, .* in torch\.float32 \(.*{MISSING}\): leave"):
        load_decoder(folder, cache="bf16")
    with pytest.raises(InputError, match="threads = 0"):
        load_runner(folder, threads=0)
    for options in (["--runner", "native"], ["--numbers", "int4"], ["--cache", "int8"], ["--cache", "bf16"]):
        assert main(["ask", "1 + 1?", "--model", str(folder), *options]) == 2
        error = capsys.readouterr().err
        assert MISSING in error
        assert error.count("\n") == 1


def test_an_instruction_set_that_cannot_be_had_is_refused_and_torch_does_not_need_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library()
    monkeypatch.setenv("TUILI_INSTRUCTION_SET", "sse9")
    with pytest.raises(InputError, match="TUILI_INSTRUCTION_SET=sse9 cannot run here: choose one of "):
        load_runner(folder)
    assert str(load_runner(folder, runner="torch").runtime).startswith("torch, fp32")


def test_torch_runs_a_model_in_the_numbers_that_it_has(folder: Path) -> None:
    assert str(load_runner(folder, runner="torch", numbers="bf16").runtime) == "torch, bf16"
    halved = load_model(folder, torch.bfloat16)
    assert str(load_runner(halved, runner="torch", numbers="int8").runtime) == "torch, int8, all else bf16"
    loaded = load_model(folder)
    assert str(load_runner(loaded, runner="torch").runtime) == "torch, fp32"
    assert str(load_runner(loaded, runner="torch", numbers="int8").runtime) == "torch, int8"
    with pytest.raises(InputError, match=r"bf16 is asked for, and the model was loaded as torch\.float32"):
        load_runner(loaded, runner="torch", numbers="bf16")


def test_the_native_runtime_tells_of_weights_that_were_rounded_before(folder: Path) -> None:
    library()
    assert str(load_runner(load_model(folder), runner="native").runtime) == "native, int8, cache bf16"
    halved = load_runner(load_model(folder, torch.bfloat16), runner="native")
    assert str(halved.runtime) == "native, int8, cache bf16, of torch.bfloat16"


def test_a_folder_whose_weights_are_no_numbers_is_named(folder: Path) -> None:
    library()
    loaded = load_model(folder)
    with torch.no_grad():
        loaded.model.model.trunk[0].attention.o_proj.weight[0, 0] = torch.nan
    with pytest.raises(InputError, match=rf"{folder}: a matrix of 16 x 16 has weights that are not finite"):
        load_runner(loaded, runner="native")


def test_a_verifier_is_read_where_it_is_asked_for() -> None:
    library()
    assert load_runner("nano", runner="native", verifies=True).verifies
    assert not load_runner("nano", runner="native").verifies
