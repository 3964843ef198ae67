"""Checkpoints that several processes write: each is read as a whole, and all of them hear of a fault."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.train.checkpoint.faults import flip, full_for, truncate
from tests.train.members import Member
from tests.waiting import GUARD_SECONDS
from tuili.errors import CheckpointError
from tuili.train.checkpoint import (
    CheckpointManager,
    Piece,
    Pieces,
    latest_checkpoint,
    manager,
    read_checkpoint,
    writing,
)
from tuili.train.checkpoint.layout import CHECKSUM, checksum
from tuili.train.dist.group import SingleProcess

WHOLE = {
    "model": {"rows": torch.arange(21.0).view(7, 3), "one": torch.tensor(7.0), "bias": torch.arange(4.0)},
    "optimizer": {"rows:momentum": torch.arange(21, dtype=torch.float64).view(7, 3)},
    "errors": {},
}


def pieces(rank: int, world_size: int, step: int = 0) -> Pieces:
    """Rows by process, as FSDP2 divides them; a run that ends within a row, as ZeRO does; the rest in process 0."""
    rows, momentum = WHOLE["model"]["rows"] + step, WHOLE["optimizer"]["rows:momentum"] + step
    height = -(-7 // world_size)
    cuts = [21 * at // world_size for at in range(world_size + 1)]
    model: dict[str, Tensor | Piece] = {
        "rows": Piece(rows[rank * height :][:height], (7, 3), min(7, rank * height) * 3)
    }
    if rank == 0:
        model |= {"one": WHOLE["model"]["one"], "bias": WHOLE["model"]["bias"]}
    run = momentum.flatten()[cuts[rank] : cuts[rank + 1]]
    return {"model": model, "optimizer": {"rows:momentum": Piece(run, (7, 3), cuts[rank])}, "errors": {}}


Work = Callable[[CheckpointManager, int, int], None]


def save(step: int) -> Work:
    return lambda checkpoints, rank, count: checkpoints.save(
        step, pieces(rank, count, step), {"step": step} if rank == 0 else {}
    )


def together(folder: Path, count: int, *works: Work, own_disks: bool = False, last: int | None = None) -> list[str]:
    """What stops each of so many threads, "" where nothing does. own_disks: whether each has a folder of its own. last:
    the step of the checkpoint that they go on from."""
    barrier, shared = Barrier(count), dict[int, Any]()

    def member(rank: int) -> str:
        try:
            place = folder / str(rank) if own_disks else folder
            group = Member(rank, barrier, shared)
            with CheckpointManager(place, 2, print, group, "this run", last) as checkpoints:
                group.all_gather(None)  # as a run's processes meet before the first step
                for work in works:
                    work(checkpoints, rank, count)
        except (CheckpointError, ArithmeticError) as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(member, range(count)))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_what_several_have_written_is_read_as_a_whole(tmp_path: Path, count: int) -> None:
    assert not any(together(tmp_path, count, save(3), save(4), save(5)))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000004", "step-00000005"]
    found = read_checkpoint(tmp_path, 5)
    assert (found.step, found.state, found.run) == (5, {"step": 5}, "this run")
    assert {group: set(named) for group, named in found.tensors.items()} == {
        group: set(named) for group, named in WHOLE.items()
    }
    for group, named in WHOLE.items():
        for name, value in named.items():
            expected = value + 5 if name.startswith("rows") else value
            assert found.tensors[group][name].dtype == value.dtype
            assert torch.equal(found.tensors[group][name], expected), name
    assert found.tensors["model"].shapes["rows"] == (7, 3)


def test_each_writes_its_own_and_one_manifest_tells_of_all(tmp_path: Path) -> None:
    assert not any(together(tmp_path, 2, save(1)))
    folder = tmp_path / "step-00000001"
    parts = [f"{group}-0000{rank}-of-00002.safetensors" for group in ("model", "optimizer") for rank in (1, 2)]
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", *parts, "state.json"]
    assert {file: set(load_file(folder / file)) for file in parts[:2]} == {
        parts[0]: {"rows", "one", "bias"},
        parts[1]: {"rows"},
    }
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["sha256"].keys() == {*parts, "state.json"}
    assert manifest["tensors"]["model"]["rows"] == {
        "dtype": "float32",
        "shape": [7, 3],
        "parts": [[parts[0], 0, 12], [parts[1], 12, 9]],
    }


def test_the_step_is_copied_and_the_next_one_is_not_waited_for(tmp_path: Path) -> None:
    def change(checkpoints: CheckpointManager, rank: int, count: int) -> None:
        rows = torch.full((1, 3), float(rank))
        checkpoints.save(1, {"model": {"rows": Piece(rows, (2, 3), 3 * rank)}}, {})
        rows.zero_()
        checkpoints.check()

    assert not any(together(tmp_path, 2, change))
    assert read_checkpoint(tmp_path, 1).tensors["model"]["rows"].tolist() == [[0.0] * 3, [1.0] * 3]


def test_a_first_process_that_writes_the_log_is_waited_for_where_all_hear_of_a_checkpoint(tmp_path: Path) -> None:
    """By `anyone`, in which others wait for it for longer than `all_gather` does."""
    calls = list[str]()

    class Watched(SingleProcess):
        def anyone(self, value: bool) -> bool:
            calls.append("anyone")
            return value

        def all_gather(self, value: Any) -> list[Any]:
            calls.append("all_gather")
            return [value]

    with CheckpointManager(tmp_path, 2, print, Watched()) as checkpoints:
        checkpoints.check()
        assert not calls
        checkpoints.save(1, pieces(0, 1), {})
        checkpoints.check()
        assert calls == ["anyone", "all_gather"]


@pytest.mark.parametrize(
    ("name", "rank"),
    [("optimizer-00002-of-00002.safetensors", 1), ("model-00001-of-00002.safetensors", 0), ("manifest.json", 0)],
)
def test_a_full_disk_of_one_is_an_error_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, rank: int
) -> None:
    assert not any(together(tmp_path, 2, save(1)))
    full_for(monkeypatch, name)
    told = together(tmp_path, 2, save(2), save(3))
    assert set(told) == {
        f"checkpoint {tmp_path}/step-00000002 was not written: process {rank}: No space left on device; "
        "the last good one is step 1"
    }
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_part_that_still_grows_is_waited_for_behind_an_error_that_all_have_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process has the slower disk."""
    monkeypatch.setattr(manager, "LEAVING_SECONDS", 0.75)
    write = writing.write_durably

    def write_slowly(path: Path, data: Iterable[bytes], written: Callable[[], None]) -> None:
        if path.name.startswith("model-00002"):
            for size in range(1, 21):
                time.sleep(0.05)
                path.with_name("growing").write_bytes(bytes(size))
            path.with_name("growing").unlink()
        write(path, data, written)

    def fail(checkpoints: CheckpointManager, rank: int, count: int) -> None:
        raise ArithmeticError("the gradient is not finite")

    monkeypatch.setattr(writing, "write_durably", write_slowly)
    assert together(tmp_path, 2, save(1), fail) == ["the gradient is not finite"] * 2
    assert read_checkpoint(tmp_path, 1).step == 1


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("name", ["model-00002-of-00002.safetensors", "manifest.json", "state.json"])
def test_a_damaged_or_missing_part_is_passed_over(tmp_path: Path, damage: Callable[[Path], None], name: str) -> None:
    assert not any(together(tmp_path, 2, save(1), save(2)))
    damage(tmp_path / "step-00000002" / name)
    told = list[str]()
    newest = latest_checkpoint(tmp_path, told.append, "this run")
    assert newest is not None
    assert newest.step == 1
    (line,) = told
    assert line.startswith(f"{tmp_path}/step-00000002 is damaged (")
    assert line.endswith("): going back to the one before")


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("step", [6, 7, 10])
def test_the_one_that_a_run_has_gone_on_from_is_kept_and_damaged_ones_behind_it_are_removed(
    step: int, count: int, tmp_path: Path
) -> None:
    assert not any(together(tmp_path, count, save(5), save(7)))
    flip(next((tmp_path / "step-00000007").glob("model*")))
    found = latest_checkpoint(tmp_path, lambda line: None, "this run")
    assert found is not None
    assert not any(together(tmp_path, count, save(step), last=found.step))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000005", f"step-{step:08}"]


def test_no_number_of_the_manifest_can_be_changed_unseen(tmp_path: Path) -> None:
    assert not any(together(tmp_path, 2, save(1)))
    file = tmp_path / "step-00000001" / "manifest.json"
    text = file.read_text()
    file.write_text(text.replace("12, 9]", "11, 9]"))
    with pytest.raises(CheckpointError, match=r"damaged \(the checksum of manifest\.json is wrong\)"):
        read_checkpoint(tmp_path, 1)


@pytest.mark.parametrize(
    ("parts", "shown"),
    [([], r"\[\]"), ([["model.safetensors", 0, 20]], "20"), ([["model.safetensors", 1, 20]], "1, 20")],
    ids=["nothing", "no end", "no begin"],
)
def test_a_tensor_that_a_manifest_does_not_give_as_a_whole_is_refused(
    parts: list[Any], shown: str, tmp_path: Path
) -> None:
    """It would have numbers that nobody has written, though all sums are right."""
    assert not any(together(tmp_path, 1, save(1)))
    file = tmp_path / "step-00000001" / "manifest.json"
    manifest = json.loads(file.read_bytes())
    del manifest[CHECKSUM]
    manifest["tensors"]["model"]["rows"]["parts"] = parts
    file.write_text(json.dumps({CHECKSUM: checksum(manifest)} | manifest))
    fault = rf"^{tmp_path}/step-00000001 is damaged \(model: rows of shape \[7, 3\] is not whole, with .*{shown}"
    with pytest.raises(CheckpointError, match=fault):
        read_checkpoint(tmp_path, 1)


def test_a_manifest_that_is_nested_without_end_is_damaged(tmp_path: Path) -> None:
    assert not any(together(tmp_path, 1, save(1)))
    (tmp_path / "step-00000001" / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(CheckpointError, match=r"is damaged \(.*recursion"):
        read_checkpoint(tmp_path, 1)


def test_a_checkpoint_of_another_kind_of_run_is_foreign(tmp_path: Path) -> None:
    """Of one that learns parameters beside a model's weights, and does not say whose it is."""
    with CheckpointManager(tmp_path, 2, print) as checkpoints:
        checkpoints.save(1, {"parameters": WHOLE["model"]}, {})
    told = list[str]()
    with pytest.raises(CheckpointError, match="all 1 checkpoints are damaged or foreign"):
        latest_checkpoint(tmp_path, told.append, "this run", WHOLE["model"])
    assert told == [f"{tmp_path}/step-00000001 is of another kind of run: going back to the one before"]


def test_a_checkpoint_of_another_run_or_model_is_foreign(tmp_path: Path) -> None:
    assert not any(together(tmp_path, 2, save(1)))
    told, weights = list[str](), {**WHOLE["model"]}
    assert latest_checkpoint(tmp_path, told.append, None, weights) is not None
    assert not told
    foreign = f"^{tmp_path}: all 1 checkpoints are damaged or foreign: train again elsewhere$"
    with pytest.raises(CheckpointError, match=foreign):
        latest_checkpoint(tmp_path, told.append, "another run", weights)
    with pytest.raises(CheckpointError, match=foreign):
        latest_checkpoint(tmp_path, told.append, "this run", weights | {"bias": torch.zeros(5)})
    path = f"{tmp_path}/step-00000001"
    assert told == [f"{path} is of another {what}: going back to the one before" for what in ("run", "model")]


def test_pieces_that_do_not_make_up_a_tensor_are_refused(tmp_path: Path) -> None:
    def twice(checkpoints: CheckpointManager, rank: int, count: int) -> None:
        checkpoints.save(1, {"model": {"one": WHOLE["model"]["one"]}}, {})

    fault = "process 0: model: one of shape [] is not whole"
    assert all(fault in error for error in together(tmp_path, 2, twice))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_not_shared_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "SHARING_SECONDS", 0.1)

    for error in together(tmp_path, 2, save(1), own_disks=True):
        assert "process 0: what other processes have written is not here: all need the same file system; " in error


def test_one_that_fails_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither does what others have saved before they fail, too, get lost."""
    monkeypatch.setattr(manager, "LEAVING_SECONDS", 0.1)

    def fail(checkpoints: CheckpointManager, rank: int, count: int) -> None:
        raise ZeroDivisionError(f"of {rank}")

    def save_alone(checkpoints: CheckpointManager, rank: int, count: int) -> None:
        if rank == 0:
            save(2)(checkpoints, rank, count)

    assert together(tmp_path, 2, save_alone, fail) == ["of 0", "of 1"]
    assert not list(tmp_path.glob("step-*"))
    monkeypatch.undo()
    assert together(tmp_path, 2, save(2), fail) == ["of 0", "of 1"]
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def test_parts_of_others_that_come_a_little_later_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all have failed, and to write its own part has taken process 0 longer than that."""
    write, find, looked = manager.write_part, manager.parts_of, Event()
    monkeypatch.setattr(manager, "LEAVING_SECONDS", 0.1)

    def slow(folder: Path, rank: int, *more: Any) -> Any:
        if rank:
            looked.wait(GUARD_SECONDS)
        else:
            time.sleep(0.5)
            monkeypatch.setattr(manager, "LEAVING_SECONDS", GUARD_SECONDS)
        return write(folder, rank, *more)

    def look(*given: Any) -> Any:
        parts = find(*given)
        looked.set()
        return parts

    def fail(checkpoints: CheckpointManager, rank: int, count: int) -> None:
        raise ZeroDivisionError(f"of {rank}")

    monkeypatch.setattr(manager, "write_part", slow)
    monkeypatch.setattr(manager, "parts_of", look)
    assert together(tmp_path, 2, save(2), fail) == ["of 0", "of 1"]
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


def test_checkpoints_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They have one file for each group, and a manifest that tells of files alone."""
    assert not any(together(tmp_path, 1, save(1), save(2)))
    for path in tmp_path.glob("step-*/manifest.json"):
        manifest = json.loads(path.read_bytes())
        path.write_text(json.dumps({key: manifest[key] for key in ("step", "sha256")}))
    (tmp_path / "step-00000001" / "model.safetensors").unlink()
    newest = latest_checkpoint(tmp_path, print, "this run", WHOLE["model"])
    assert newest is not None
    assert (newest.step, newest.run, newest.state) == (2, None, {"step": 2})
    assert newest.tensors.keys() == WHOLE.keys()
    assert torch.equal(newest.tensors["model"]["rows"], WHOLE["model"]["rows"] + 2)
    assert newest.tensors["optimizer"]["rows:momentum"].dtype == torch.float64
    assert read_checkpoint(tmp_path, 1, "optimizer").tensors.keys() == {"optimizer"}
    truncate(tmp_path / "step-00000002" / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"checksum of model\.safetensors is wrong"):
        read_checkpoint(tmp_path, 2)
