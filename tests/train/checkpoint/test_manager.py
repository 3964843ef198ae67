from __future__ import annotations

import errno
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from tests.train.checkpoint.faults import answer, flip, full_for, hang_for, truncate
from tests.waiting import eventually
from tuili.config import load_recipe
from tuili.errors import CheckpointError, InputError, TuiliError
from tuili.train.checkpoint import CheckpointManager, layout, manager, read_checkpoint, reading, writing
from tuili.train.checkpoint.saving import Saving
from tuili.train.loop import save_between
from tuili.train.recipe import Recipe
from tuili.train.trainer import StepResult, Trainer, TrainingState

FILES = ["model.safetensors", "state.json", "manifest.json"]


def tensors(step: int) -> dict[str, dict[str, torch.Tensor]]:
    weights = {
        "w": torch.full((3, 2), float(step)),
        "scalar": torch.tensor(step),
        "view": torch.arange(6.0)[::2],
    }
    return {"model": weights, "optimizer": {"w:momentum": torch.zeros(2)}}


def save(folder: Path, *steps: int, keep: int = 2) -> list[str]:
    """Save at these steps and return the lines that were told."""
    messages: list[str] = []
    with CheckpointManager(folder, keep, messages.append) as checkpoints:
        for step in steps:
            checkpoints.save(step, tensors(step), {"step": step, "seen": [[1, "a"]]})
    return messages


def reopen(folder: Path) -> tuple[CheckpointManager, list[str]]:
    messages: list[str] = []
    return CheckpointManager(folder, 2, messages.append), messages


def test_a_group_is_read_without_the_others(tmp_path: Path) -> None:
    save(tmp_path, 10)
    (tmp_path / "step-00000010" / "optimizer.safetensors").unlink()
    assert read_checkpoint(tmp_path, 10, "model").tensors.keys() == {"model"}
    with pytest.raises(CheckpointError, match=r"step-00000010 is damaged .*No such file"):
        read_checkpoint(tmp_path, 10)


def test_one_that_the_disk_does_not_give_now_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be sound, and whoever goes on from the one before removes it."""
    save(tmp_path, 10, 20)

    def fail(path: Path) -> str:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(reading, "file_hash", fail)
    told = (
        rf"^{tmp_path}/step-00000020 cannot be read: Stale file handle: try again, or remove it to go on from the one"
    )
    with pytest.raises(TuiliError, match=told) as caught:
        reopen(tmp_path)[0].latest()
    assert not isinstance(caught.value, CheckpointError)


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    save(tmp_path, 10)
    newest = reopen(tmp_path)[0].latest()
    assert newest is not None
    assert (newest.step, newest.state) == (10, {"step": 10, "seen": [[1, "a"]]})
    for group, named in tensors(10).items():
        assert newest.tensors[group].keys() == named.keys()
        assert all(torch.equal(newest.tensors[group][name], value) for name, value in named.items())


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert reopen(tmp_path / "none")[0].latest() is None


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3, 4, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000004"]


def test_an_old_one_that_cannot_be_removed_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, busy = shutil.rmtree, tmp_path / "step-00000001"

    def refuse(path: Path, *more: Any, **options: Any) -> None:
        if path == busy:
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        remove(path, *more, **options)

    save(tmp_path, 1)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    fault = f"{busy} is not needed any more, and cannot be removed: Directory not empty"
    assert save(tmp_path, 2, 3, keep=1) == [f"{fault}; it is tried again behind each checkpoint"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]
    monkeypatch.undo()
    assert save(tmp_path, 4, keep=1) == []
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]


def test_tensors_are_copied_before_save_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, write = threading.Event(), writing.write_durably

    def late(path: Path, data: bytes, *more: Any) -> None:
        gate.wait(10)
        write(path, data, *more)

    monkeypatch.setattr(writing, "write_durably", late)
    weights = torch.ones(3)
    with CheckpointManager(tmp_path, 2, print) as checkpoints:
        checkpoints.save(1, {"model": {"w": weights}}, {})
        weights.zero_()
        assert list(tmp_path.glob("step-*")) == [], "not there before it is complete"
        gate.set()
    newest = reopen(tmp_path)[0].latest()
    assert newest is not None
    assert torch.equal(newest.tensors["model"]["w"], torch.ones(3))
    assert checkpoints.stall > 0


def test_a_group_is_released_when_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, before, alive = writing.weight_file, [], []

    def watched(named: dict[str, torch.Tensor]) -> Iterator[memoryview]:
        alive.extend(copy() for copy in before if copy() is not None)
        before.extend(map(weakref.ref, named.values()))
        return runs(named)

    monkeypatch.setattr(writing, "weight_file", watched)
    save(tmp_path, 1)
    assert len(before) == 4
    assert alive == []


def of_unknown_type(path: Path) -> None:
    """As a program that is none of ours might write a manifest."""
    manifest = json.loads(path.read_text())
    del manifest["checksum"]
    manifest["tensors"]["model"]["w"]["dtype"] = "load"
    path.write_text(json.dumps({"checksum": layout.checksum(manifest)} | manifest))


@pytest.mark.parametrize(
    ("name", "damage"),
    [*product(FILES, [truncate, flip, Path.unlink]), ("manifest.json", of_unknown_type)],
)
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    save(tmp_path, 1, 2)
    damage(tmp_path / "step-00000002" / name)
    checkpoints, messages = reopen(tmp_path)
    newest = checkpoints.latest()
    assert newest is not None
    assert newest.step == 1
    (line,) = messages
    assert "step-00000002 is damaged" in line
    assert "going back to the one before" in line


def test_a_damaged_checkpoint_is_replaced_when_training_comes_there_again(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    flip(tmp_path / "step-00000002" / "model.safetensors")
    save(tmp_path, 2)
    checkpoints, messages = reopen(tmp_path)
    newest = checkpoints.latest()
    assert newest is not None
    assert (newest.step, messages) == (2, [])


def test_if_all_are_damaged_it_says_so(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    for path in tmp_path.glob("step-*/model.safetensors"):
        truncate(path)
    checkpoints, messages = reopen(tmp_path)
    with pytest.raises(CheckpointError, match="all 2 checkpoints are damaged or foreign: train again elsewhere"):
        checkpoints.latest()
    assert len(messages) == 2


@pytest.mark.parametrize("name", FILES)
def test_a_full_disk_is_one_line_and_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    save(tmp_path, 1)
    full_for(monkeypatch, name)
    with pytest.raises(CheckpointError) as caught, CheckpointManager(tmp_path, 2, print) as checkpoints:
        checkpoints.save(2, tensors(2), {})
    assert "step-00000002 was not written: No space left on device; the last good one is step 1" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    newest = reopen(tmp_path)[0].latest()
    assert newest is not None
    assert newest.step == 1


@pytest.mark.parametrize(("interval", "beside", "most"), [(20, 0.1, 5), (100, 0.1, 10), (20, 0.5, 10)])
def test_steps_wait_for_a_write_that_many_were_made_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: int, beside: float, most: int
) -> None:
    settings = [f"checkpoint.interval={interval}", f"checkpoint.beside={beside}", f"train.steps={2 * interval}"]
    recipe = load_recipe("base", settings, Recipe)
    state, may_write, waited_at = TrainingState(), threading.Event(), list[int]()
    write, wait = manager.write_part, Saving.wait

    def waiting(saving: Saving) -> None:
        if saving.step == interval and not may_write.is_set():
            waited_at.append(state.step)
            time.sleep(0.05)
            may_write.set()
        wait(saving)

    def steps() -> Iterator[StepResult]:
        while state.step < recipe.train.steps:
            state.step += 1
            yield cast(StepResult, None)

    monkeypatch.setattr(manager, "write_part", lambda *part: (may_write.wait(), write(*part))[1])
    monkeypatch.setattr(Saving, "wait", waiting)
    trainer = cast(Trainer, SimpleNamespace(state=state, collect=lambda: tensors(state.step)))
    with CheckpointManager(tmp_path, 2, lambda line: None) as checkpoints:
        save_between(trainer, steps(), recipe, checkpoints)
    assert waited_at == [interval + most]
    assert checkpoints.stall >= 0.05


def test_a_damaged_one_is_not_the_last_good_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 1, 2)
    flip(tmp_path / "step-00000002" / "model.safetensors")
    full_for(monkeypatch, "model.safetensors")
    checkpoints, _ = reopen(tmp_path)
    checkpoints.latest()
    checkpoints.save(3, tensors(3), {})
    with pytest.raises(CheckpointError, match=r"the last good one is step 1$"):
        checkpoints.close()


def test_a_disk_that_does_not_answer_is_told_and_then_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes when it answers after all is no checkpoint, and is removed by the next session."""
    folder, messages = tmp_path / "run", list[str]()
    save(folder, 1)
    monkeypatch.setattr(manager, "TELLING_SECONDS", 0)
    hang_for(monkeypatch, "optimizer.safetensors", tmp_path / "pipe")
    with pytest.raises(CheckpointError) as caught, CheckpointManager(folder, 2, messages.append) as checkpoints:
        checkpoints.save(2, tensors(2), {})
    place = folder / "step-00000002"
    assert messages == [f"checkpoint {place} is still being written: the training has waited for 0 s"]
    fault = "the disk does not answer, and has taken nothing for 0 s"
    assert str(caught.value) == f"checkpoint {place} was not written: {fault}; the last good one is step 1"
    answer(tmp_path / "pipe")
    eventually(lambda: not any(thread.name == "checkpoint" for thread in threading.enumerate()), "it writes for ever")
    assert sorted(path.name for path in folder.iterdir()) == [".step-00000002", "step-00000001"]
    monkeypatch.undo()
    save(folder, 2)
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000001", "step-00000002"]


def told_beside_another_error(folder: Path) -> list[str]:
    """What a manager tells where a training fails while a checkpoint is being written."""
    messages: list[str] = []

    def fail() -> None:
        with CheckpointManager(folder, 2, messages.append) as checkpoints:
            checkpoints.save(2, tensors(2), {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    return messages


def test_a_disk_that_does_not_answer_beside_another_error_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hang_for(monkeypatch, "model.safetensors", tmp_path / "pipe")
    messages = told_beside_another_error(tmp_path)
    answer(tmp_path / "pipe")
    (line,) = messages
    assert "step-00000002 was not written: the disk does not answer, and has taken nothing for 0 s; there is" in line


def test_a_writer_that_fails_beside_another_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: Iterable[bytes], *more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "write_durably", full)
    messages = told_beside_another_error(tmp_path)
    (line,) = messages
    assert "step-00000002 was not written: No space left on device; there is none before it" in line


def test_a_failed_writer_is_noticed_by_the_next_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: Iterable[bytes], *more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing, "write_durably", full)
    checkpoints = CheckpointManager(tmp_path, 2, print)
    checkpoints.save(2, tensors(2), {})

    with pytest.raises(CheckpointError, match="there is none before it"):
        eventually(lambda: checkpoints.check() is None, "the failure is not noticed")
    checkpoints.close()


def test_what_a_crash_left_half_written_is_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / ".step-00000002").mkdir()
    (tmp_path / ".step-00000002" / "model.safetensors").write_bytes(b"half")
    checkpoints, messages = reopen(tmp_path)
    newest = checkpoints.latest()
    assert newest is not None
    assert (newest.step, messages) == (1, [])
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_file_that_no_run_has_written_stays(tmp_path: Path) -> None:
    (tmp_path / ".step-00000002").write_text("a note")
    save(tmp_path, 1)
    with pytest.raises(CheckpointError, match="step-00000002 was not written: File exists; the last good one"):
        save(tmp_path, 2)
    assert (tmp_path / ".step-00000002").read_text() == "a note"


def test_what_a_crash_left_and_nobody_can_remove_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts would be taken for new ones."""
    (tmp_path / ".step-00000002").mkdir()

    def keep(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", keep)
        with pytest.raises(InputError, match=r"\.step-00000002 .*Permission denied; remove it, then add --resume$"):
            reopen(tmp_path)


def test_nothing_in_a_checkpoint_is_a_pickle(tmp_path: Path) -> None:
    save(tmp_path, 1)
    names = {path.name for path in (tmp_path / "step-00000001").iterdir()}
    assert names == {"model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}
    manifest = json.loads((tmp_path / "step-00000001" / "manifest.json").read_text())
    assert manifest["sha256"].keys() == names - {"manifest.json"}
