"""How the processes of a run write a checkpoint: each writes its own files, and process 0 the manifest of all.

When that happens is left to `manager`, the names of the files to `layout`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from tuili.errors import CheckpointError
from tuili.files import flush, write_durably
from tuili.train.checkpoint.layout import (
    CHECKSUM,
    MANIFEST_FILE,
    STATE_FILE,
    TENSORS_SUFFIX,
    check_whole,
    checkpoint_path,
    checksum,
    saved_steps,
)
from tuili.train.checkpoint.weight_file import weight_file

SUMMED = 1 << 22
"""This many bytes are hashed, then written. While they are hashed, the file does not grow, as if nobody wrote it."""


@dataclass(frozen=True)
class Piece:
    """What one process holds of a tensor: a run of its numbers, in the order in which they lie in memory.

    numbers: of any shape. shape: that of the whole tensor. begin: how many numbers of the whole come before.
    """

    numbers: Tensor
    shape: Sequence[int]
    begin: int

    @classmethod
    def of(cls, value: Tensor | Piece) -> Piece:
        """Turn a whole tensor into a piece; a piece stays as it is."""
        return value if isinstance(value, Piece) else cls(value, value.shape, 0)


Pieces = Mapping[str, Mapping[str, Tensor | Piece]]
"""What one process writes, by group and name: whole tensors, or pieces. The pieces of all processes cover each tensor
exactly once. Process 0 has all groups, even if they are empty."""

Part = dict[str, Any]
"""What one process has written, in a form that JSON can hold: `files` with the size in bytes and the SHA-256 sum of
each, and the `tensors` of each group: the type, the shape, and the file, first number and count of a run."""


def write_part(
    folder: Path, rank: int, world_size: int, pieces: dict[str, dict[str, Piece]], go_on: Callable[[], None]
) -> Part:
    """Write what a process holds, and return a description of it. `go_on` is called whenever more is on the disk.

    Takes each group out of `pieces` in turn, so that its memory is freed once it is written.
    """
    mark = f"-{rank + 1:05d}-of-{world_size:05d}" if world_size > 1 else ""
    part: Part = {"files": {}, "tensors": {}}
    for group in list(pieces):
        named, file = pieces.pop(group), f"{group}{mark}{TENSORS_SUFFIX}"
        part["tensors"][group] = {
            name: {
                "dtype": str(piece.numbers.dtype).removeprefix("torch."),
                "shape": list(piece.shape),
                "parts": [[file, piece.begin, piece.numbers.numel()]],
            }
            for name, piece in named.items()
        }
        if named or world_size == 1:
            tensors = {name: piece.numbers for name, piece in named.items()}
            part["files"][file] = _write_file(folder / file, weight_file(tensors), go_on)
            del tensors
        del named
    return part


def hand_over(scratch: Path, rank: int, part: Part, go_on: Callable[[], None]) -> None:
    """Tell process 0, by a file, that this process has written its part. `go_on` is as in `write_part`."""
    _write_file(scratch / _part_file(rank), [json.dumps(part).encode()], go_on)


def parts_of(scratch: Path, count: int) -> list[Part] | None:
    """The parts of processes 1 to `count` once all have been handed over; None before that."""
    files = [scratch / _part_file(rank) for rank in range(1, count + 1)]
    if not all(file.is_file() for file in files):
        return None
    parts = [json.loads(file.read_bytes()) for file in files]
    for file in files:
        file.unlink()
    return parts


def size_of(scratch: Path) -> int:
    """The bytes that all processes have written to the folder so far, as far as they are visible here."""
    with suppress(OSError):  # another process renames or removes a file
        return sum(file.stat().st_size for file in scratch.iterdir())
    return 0


def publish(
    folder: Path,
    scratch: Path,
    step: int,
    run: str | None,
    parts: Sequence[Part],
    state: str,
    go_on: Callable[[], None],
) -> None:
    """Make a checkpoint of the parts of all processes, which lie in `scratch`. parts: in rank order.

    `go_on` is as in `write_part`. Raises `CheckpointError` if files are missing, or do not make up whole tensors.
    """
    files: dict[str, Any] = {}
    for rank, part in enumerate(parts):
        for name, file in part["files"].items():
            if not (scratch / name).is_file() or (scratch / name).stat().st_size != file["bytes"]:
                fault = f"process {rank} has written {name} elsewhere: all need one file system that they share"
                raise CheckpointError(fault)
        files |= part["files"]
    tensors = _joined([part["tensors"] for part in parts])
    files[STATE_FILE] = _write_file(scratch / STATE_FILE, [state.encode()], go_on)
    sums = {name: file["sha256"] for name, file in files.items()}
    manifest = {"step": step, "run": run, "sha256": sums, "tensors": tensors}
    document = json.dumps({CHECKSUM: checksum(manifest)} | manifest)
    _write_file(scratch / MANIFEST_FILE, [document.encode()], go_on)
    flush(scratch)
    # Only a damaged checkpoint can be at this step or a later one: the run resumed from an earlier one.
    for damaged_step in [number for number in saved_steps(folder) if number >= step]:
        shutil.rmtree(checkpoint_path(folder, damaged_step))
    scratch.rename(checkpoint_path(folder, step))
    flush(folder)


def prune(folder: Path, keep: int, last: int | None, step: int) -> str | None:
    """Remove what is no longer needed after the checkpoint of `step`: all but the newest `keep`, and those after
    `last`, the run's previous checkpoint. The run skipped these when it resumed: they are not sound.

    Returns a line about one that cannot be removed, if there is any.
    """
    steps, fault = saved_steps(folder), None
    sound = [number for number in steps if number == step or (number < step if last is None else number <= last)]
    for old_step in sorted({*steps} - {*sound[-keep:]}):
        path = checkpoint_path(folder, old_step)
        try:
            shutil.rmtree(path)
        except OSError as error:  # for example because another machine has a file open
            fault = f"{path} is not needed any more, and cannot be removed: {error.strerror or error}"
    return fault


def _joined(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The tensors of all parts. Raises `CheckpointError` if some of their numbers occur twice or not at all."""
    joined: dict[str, Any] = {group: {} for group in tables[0]}
    for table in tables:
        for group, entries in table.items():
            for name, entry in entries.items():
                first = joined[group].setdefault(name, entry | {"parts": []})
                first["parts"] += entry["parts"]
    for entries in joined.values():
        for entry in entries.values():
            entry["parts"].sort(key=lambda part: part[1:])
    check_whole(joined)
    return joined


def _part_file(rank: int) -> str:
    return f"part-{rank + 1:05d}.json"


def _write_file(path: Path, runs: Iterable[bytes | memoryview], go_on: Callable[[], None]) -> dict[str, Any]:
    """Write runs of bytes to a file; returns its size and its SHA-256 sum."""
    digest, size = hashlib.sha256(), 0

    def counted() -> Iterator[bytes | memoryview]:
        nonlocal size
        for run in runs:
            for begin in range(0, len(run), SUMMED):
                chunk = run[begin : begin + SUMMED]
                digest.update(chunk)
                size += len(chunk)
                yield chunk

    write_durably(path, counted(), go_on)
    return {"bytes": size, "sha256": digest.hexdigest()}
