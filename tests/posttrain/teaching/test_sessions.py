"""Sessions of a run: whatever ends one, the next goes on to the same weights, and none goes on otherwise."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.posttrain.teaching.running import config, run, told
from tuili.errors import InputError, ModelFolderError, TuiliError
from tuili.posttrain import learning
from tuili.posttrain.teaching import result as result_module
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.store import model_hash, read_lineage


def at_step(step: int, action: Callable[[], Any], patch: pytest.MonkeyPatch) -> None:
    """Do something when this step has been logged."""

    class Log(learning.TrainingLog):
        def step(self, number: int, *arguments: Any, **more: Any) -> None:
            super().step(number, *arguments, **more)
            if number == step:
                action()

    patch.setattr(learning, "TrainingLog", Log)


class Killed(BaseException):
    """Ends a session without a checkpoint."""


def kill() -> None:
    raise Killed


@pytest.mark.parametrize("way", ["lora", "full"])
def test_an_interrupted_teaching_ends_with_the_same_weights(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    whole = run(folder, data, tmp_path / "whole", way=way)
    with monkeypatch.context() as patch:
        at_step(7, lambda: signal.raise_signal(signal.SIGINT), patch)
        part = run(folder, data, tmp_path / "part", way=way)
    assert (part.step, part.model) == (7, None)
    with pytest.raises(InputError, match="add --resume"):
        run(folder, data, tmp_path / "part", way=way)
    with pytest.raises(InputError, match=r"the run began with learning_rate = 0\.01, not 0\.02"):
        run(folder, data, tmp_path / "part", resume=True, way=way, learning_rate=0.02)
    with monkeypatch.context() as patch:
        at_step(9, kill, patch)
        with pytest.raises(Killed):
            run(folder, data, tmp_path / "part", resume=True, way=way)
    again = run(folder, data, tmp_path / "part", resume=True, way=way)
    assert whole.model is not None
    assert again.model is not None
    assert model_hash(again.model) == model_hash(whole.model)
    assert again.tokens == whole.tokens
    assert read_lineage(again.model)[-1].figures == read_lineage(whole.model)[-1].figures


def test_another_folder_gives_the_same_weights(folder: Path, data: Path, tmp_path: Path) -> None:
    """What is drawn depends on the name of a file alone."""
    here = run(folder, data, tmp_path / "here", lower_case=0.5, steps=4)
    moved = shutil.copy(data, tmp_path / data.name)
    there = run(folder, Path(moved), tmp_path / "there", lower_case=0.5, steps=4)
    assert here.model is not None
    assert there.model is not None
    assert model_hash(here.model) == model_hash(there.model)


def test_a_run_begins_when_all_of_its_recipe_is_possible(folder: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"nosuch\.jsonl cannot be read: No such file"):
        run(folder, tmp_path / "nosuch.jsonl", out)
    assert not out.exists()
    long = tmp_path / "long.jsonl"
    long.write_text(json.dumps({"question": "Add. " * 90, "equation": "+ 1 2", "answer": "3"}))
    for file, changes, message in (
        (data, {"first_layer": 4}, "the model has 4 layers, from 0 on"),
        (data, {"length": 513}, "the model's context is 512: use that at most"),
        (long, {}, r"1 of 1 questions are longer than the \d+ tokens of a row behind the template: raise"),
    ):
        with pytest.raises(InputError, match=message):
            run(folder, file, out, **changes)
    assert [path.name for path in out.iterdir()] == [".lock"]
    assert run(folder, data, out, steps=1).model is not None


def test_files_in_another_order_are_another_run(folder: Path, data: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(data, tmp_path / "other.jsonl"))
    weights = {str(data): 1.0, str(other): 1.0}
    run(folder, data, tmp_path / "run", files=weights, steps=1)
    with pytest.raises(InputError, match="the run began with order = "):
        run(folder, data, tmp_path / "run", files=dict(reversed(weights.items())), steps=1, resume=True)


def test_a_full_disk_at_the_end_costs_no_training(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(result_module, "copy_changed", full)
        with pytest.raises(TuiliError, match=r"No space left on device; add --resume to write it again"):
            run(folder, data, out, steps=2)
    assert not (out / "model").exists()
    (out / "log.jsonl").unlink()
    with monkeypatch.context() as patch:
        at_step(2, kill, patch)  # no step is taken again
        again = run(folder, data, out, steps=2, resume=True)
    assert again.model is not None
    assert model_hash(again.model) == model_hash(run(folder, data, tmp_path / "whole", steps=2).model or Path())


def test_a_base_that_changes_meanwhile_is_not_added_to(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = shutil.copytree(folder, tmp_path / "base")
    with monkeypatch.context() as patch:
        at_step(2, lambda: os.utime(base / "model.safetensors", (0, 0)), patch)
        with pytest.raises(ModelFolderError, match=r"model\.safetensors was written while the model was read"):
            run(base, data, tmp_path / "run", steps=2)
    assert run(base, data, tmp_path / "run", steps=2, resume=True).model is not None
    other = json.loads((base / "config.json").read_text()) | {"rms_norm_eps": 0.1}
    (base / "config.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match="the run began with model = "):
        run(base, data, tmp_path / "run", steps=2, resume=True)


def test_what_the_bits_depend_on_is_told_where_it_has_changed(folder: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "changed" not in told(folder, data, out, steps=1)
    known = json.loads((out / "run.json").read_text())
    known["environment"]["threads"] = 99
    (out / "run.json").write_text(json.dumps(known))
    assert "changed since the run began: threads from 99 to" in told(folder, data, out, steps=1, resume=True)
    (out / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        run(folder, data, out, steps=1, resume=True)


def test_a_gradient_without_end_changes_nothing(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backward = TaughtNetwork.backward

    def failing(network: TaughtNetwork, loss: torch.Tensor) -> None:
        backward(network, loss)
        (gradient, *_) = (parameter.grad for parameter in network.parameters.values())
        assert gradient is not None
        if (tmp_path / "run" / "checkpoints" / "step-00000001").exists():
            gradient[0, 0] = float("inf")

    monkeypatch.setattr(TaughtNetwork, "backward", failing)
    with pytest.raises(TuiliError, match=r"step \d: the loss is [\d.]+, the norm of its gradient inf: choose a lower"):
        run(folder, data, tmp_path / "run", steps=9, checkpoint={"interval": 1, "keep": 9})
    state = load_file(tmp_path / "run" / "checkpoints" / "step-00000001" / "parameters.safetensors")
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert not (tmp_path / "run" / "model").exists()


def test_a_recipe_is_refused_at_its_limits(folder: Path, data: Path) -> None:
    for changes in (
        {"rank": 0},
        {"length": 63},
        {"steps": 0},
        {"extra_tokens": 10**9},
        {"learning_rate": 2},
        {"files": {}},
    ):
        with pytest.raises(ValueError, match=r"rank|length|steps|extra_tokens|learning_rate|nothing to learn from"):
            config(folder, data, **changes)


def test_settings_of_values_that_could_have_no_effect_are_refused(folder: Path, data: Path) -> None:
    prose = {"response": "prose", "domains": []}
    for changes, reason in (
        ({"calculator": "off"}, "add results=learnt"),
        (prose | {"calculator": "repair"}, "prose has no steps to repair"),
    ):
        with pytest.raises(ValueError, match=reason):
            config(folder, data, **changes)
    for changes in ({"calculator": "off", "results": "learnt"}, prose | {"calculator": "off"}, prose):
        assert config(folder, data, **changes)
