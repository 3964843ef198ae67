"""Reading checkpoints: they are verified, and their tensors are assembled on demand, whichever processes wrote them.

The names of the files are left to `layout`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tuili.errors import CheckpointError, TuiliError
from tuili.files import file_hash
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

Tensors = Mapping[str, Mapping[str, Tensor]]
"""Whole named tensors, by group."""


class StoredTensors(Mapping[str, Tensor]):
    """The tensors of a group. Each is read and assembled when it is asked for."""

    def __init__(self, folder: Path, table: Mapping[str, Any]) -> None:
        """Raises `ValueError` if a type is not one of torch's."""
        self._folder, self._table = folder, table
        for name, entry in table.items():
            if not isinstance(getattr(torch, entry["dtype"], None), torch.dtype):
                raise ValueError(f"{name} is of an unknown type, {entry['dtype']}")

    def __getitem__(self, name: str) -> Tensor:
        entry = self._table[name]
        whole = torch.empty(math.prod(entry["shape"]), dtype=getattr(torch, entry["dtype"]))
        for file, begin, count in entry["parts"]:
            with safe_open(self._folder / file, "pt") as stored:
                whole[begin : begin + count] = stored.get_tensor(name).flatten()
        return whole.view(entry["shape"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors, without reading the tensors."""
        return {name: tuple(entry["shape"]) for name, entry in self._table.items()}


@dataclass(frozen=True)
class Checkpoint:
    """What was saved after a step: named tensors in groups, and whatever JSON can hold. run: its run, if known."""

    step: int
    tensors: Mapping[str, StoredTensors]
    state: dict[str, Any]
    run: str | None = None


def read_checkpoint(folder: Path, step: int, *groups: str) -> Checkpoint:
    """Read the checkpoint of a step, with all or some groups of tensors. What is read of it is verified first.

    Raises `CheckpointError` if that is damaged, and `TuiliError` if the disk cannot return it, even if it is sound.
    """
    path = checkpoint_path(folder, step)
    try:
        return _read(path, step, groups)
    except (
        FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, LookupError, TypeError, AttributeError,
        RecursionError, SafetensorError, CheckpointError,
    ) as error:  # fmt: skip
        raise CheckpointError(f"{path} is damaged ({error})") from error
    except OSError as error:
        raise TuiliError(
            f"{path} cannot be read: {error.strerror or error}: try again, or remove it to go on from the one before"
        ) from error


def latest_checkpoint(
    folder: Path, tell: Callable[[str], None], run: str | None = None, weights: Mapping[str, Tensor] | None = None
) -> Checkpoint | None:
    """The newest checkpoint that is sound and belongs to this run and model, or None if there is none.

    run: what distinguishes this run from others. weights: the model's, of any value. `tell` is given one line for each
    checkpoint that is skipped. Raises `CheckpointError` if there are checkpoints but none can be used, and also what
    `read_checkpoint` raises.
    """
    steps = saved_steps(folder)
    for step in reversed(steps):
        try:
            checkpoint = read_checkpoint(folder, step)
            _refuse_foreign(checkpoint, checkpoint_path(folder, step), run, weights)
            return checkpoint
        except CheckpointError as error:
            tell(f"{error}: going back to the one before")
    if steps:
        raise CheckpointError(f"{folder}: all {len(steps)} checkpoints are damaged or foreign: train again elsewhere")
    return None


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load all of these weights into a model, with one at a time in memory besides the model."""
    own = model.state_dict()
    assert own.keys() == weights.keys()
    for name, value in own.items():
        value.copy_(weights[name])


def _read(path: Path, step: int, groups: Sequence[str]) -> Checkpoint:
    manifest = json.loads((path / MANIFEST_FILE).read_bytes())
    if manifest["step"] != step:
        raise ValueError("its manifest belongs to another step")
    if manifest.pop(CHECKSUM, None) != (checksum(manifest) if "tensors" in manifest else None):
        raise ValueError(f"the checksum of {MANIFEST_FILE} is wrong")
    sums = {
        name: sum for name, sum in manifest["sha256"].items() if not groups or name.startswith((STATE_FILE, *groups))
    }
    for name, expected in sums.items():
        if file_hash(path / name) != expected:
            raise ValueError(f"the checksum of {name} is wrong")
    tables = manifest.get("tensors") or _tables_of_earlier_version(path, sums)
    check_whole(tables)
    tensors = {group: StoredTensors(path, table) for group, table in tables.items() if not groups or group in groups}
    return Checkpoint(step, tensors, json.loads((path / STATE_FILE).read_bytes()), manifest.get("run"))


def _refuse_foreign(checkpoint: Checkpoint, path: Path, run: str | None, weights: Mapping[str, Tensor] | None) -> None:
    """Raise `CheckpointError` for a checkpoint of another run, or, as far as that is unknown, of another kind of run or
    of another model."""
    if None not in (run, checkpoint.run) and run != checkpoint.run:
        raise CheckpointError(f"{path} is of another run")
    if weights is None:
        return
    if "model" not in checkpoint.tensors:
        raise CheckpointError(f"{path} is of another kind of run")
    if checkpoint.tensors["model"].shapes != {name: tuple(value.shape) for name, value in weights.items()}:
        raise CheckpointError(f"{path} is of another model")


def _tables_of_earlier_version(path: Path, names: Iterable[str]) -> dict[str, Any]:
    """The tensors of a checkpoint written by an earlier version, with one file for each group."""
    tables: dict[str, Any] = {}
    for file in names:
        if file.endswith(TENSORS_SUFFIX):
            with safe_open(path / file, "pt") as stored:
                tables[file.removesuffix(TENSORS_SUFFIX)] = {
                    name: {
                        "dtype": str(value.dtype).removeprefix("torch."),
                        "shape": list(value.shape),
                        "parts": [[file, 0, value.numel()]],
                    }
                    for name in stored.keys()  # noqa: SIM118  # not a mapping
                    for value in [stored.get_tensor(name)]
                }
    return tables
