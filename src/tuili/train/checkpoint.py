"""Checkpoints: written in the background, moved into place as a whole, checksummed, and verified before use.

A checkpoint is a folder `step-00000200` of safetensors files, `state.json` and a manifest of SHA-256 sums;
nothing in it is a pickle. What the tensors and the state mean is left to `trainer`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as dump_tensors
from torch import Tensor

from tuili.config import Config
from tuili.errors import CheckpointError
from tuili.files import flush, write_durably

MANIFEST_FILE, STATE_FILE, TENSORS_SUFFIX = "manifest.json", "state.json", ".safetensors"
CHECKPOINT_PREFIX, SCRATCH_PREFIX = "step-", ".step-"

Tensors = Mapping[str, Mapping[str, Tensor]]


class CheckpointConfig(Config):
    """When the state of a run is saved."""

    interval: PositiveInt = 200
    """Steps between two checkpoints."""
    keep: PositiveInt = 2
    """How many stay on disk."""


@dataclass(frozen=True)
class Checkpoint:
    """What was saved after a step: groups of named tensors, and whatever JSON can hold."""

    step: int
    tensors: Tensors
    state: dict[str, Any]


class CheckpointManager:
    """The checkpoints of one run. One writer at a time; `close` (or `with`) waits for it.

    What kept the writer from writing, such as a full disk, is raised as `CheckpointError` by the next call; the
    checkpoints on the disk stay as they are. `tell` is given one line for each damaged checkpoint that is passed over.
    It is also given the writer's error where the training has failed already.
    """

    def __init__(self, folder: Path, keep: int, tell: Callable[[str], None]) -> None:
        self._folder, self._keep, self._tell = folder, keep, tell
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None
        self.stall = 0.0
        """Seconds for which `save` has held up the training in all."""
        for leftover in folder.glob(f"{SCRATCH_PREFIX}*"):
            shutil.rmtree(leftover)

    def __enter__(self) -> CheckpointManager:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._writer.shutdown()
        if kind is None:
            self.close()
        elif self._writing is not None and (error := self._writing.exception()):
            self._tell(str(error))  # beside the error that is under way

    def save(self, step: int, tensors: Tensors, state: Mapping[str, Any], *, are_copies: bool = False) -> None:
        """Copy the tensors now and write them in the background. Waits only until the write before has ended.

        are_copies: whether nobody changes the tensors, which need no copies then.
        """
        begun = time.perf_counter()
        self.close()
        copied = (lambda value: value) if are_copies else copied_tensor
        copies = {group: {name: copied(value) for name, value in named.items()} for group, named in tensors.items()}
        document = json.dumps(dict(state))
        self._writing = self._writer.submit(self._write, step, copies, document)
        self.stall += time.perf_counter() - begun

    def check(self) -> None:
        """Raise the writer's error, if it has ended with one, without waiting for it."""
        if self._writing is not None and self._writing.done():
            self.close()

    def close(self) -> None:
        """Wait until everything is on disk."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def latest(self) -> Checkpoint | None:
        """The newest sound checkpoint, None if there is none. Raises `CheckpointError` if all are damaged."""
        steps = self._steps()
        for step in reversed(steps):
            try:
                return read_checkpoint(self._folder, step)
            except (OSError, ValueError, LookupError, TypeError, SafetensorError) as error:
                self._tell(f"{self._path(step)} is damaged ({error}): going back to the one before")
        if steps:
            raise CheckpointError(f"{self._folder}: all {len(steps)} checkpoints are damaged: train again elsewhere")
        return None

    def _steps(self) -> list[int]:
        names = (path.name.removeprefix(CHECKPOINT_PREFIX) for path in self._folder.glob(f"{CHECKPOINT_PREFIX}*"))
        return sorted(int(name) for name in names if name.isdigit())

    def _path(self, step: int) -> Path:
        return _path(self._folder, step)

    def _write(self, step: int, tensors: dict[str, dict[str, Tensor]], state: str) -> None:
        """Takes each group out of `tensors` in turn, so that only one at a time is in memory as bytes too."""
        scratch = self._folder / f"{SCRATCH_PREFIX}{step:08d}"
        try:
            scratch.mkdir(parents=True)
            sums = {}
            for group in list(tensors):
                name = f"{group}{TENSORS_SUFFIX}"
                sums[name] = _write_file(scratch / name, dump_tensors(tensors.pop(group)))
            sums[STATE_FILE] = _write_file(scratch / STATE_FILE, state.encode())
            write_durably(scratch / MANIFEST_FILE, json.dumps({"step": step, "sha256": sums}, indent=2).encode())
            flush(scratch)
            # Only a damaged checkpoint can stand here or later: the run went on from an earlier one.
            for damaged_step in [number for number in self._steps() if number >= step]:
                shutil.rmtree(self._path(damaged_step))
            scratch.rename(self._path(step))
            flush(self._folder)
            for old_step in self._steps()[: -self._keep]:
                shutil.rmtree(self._path(old_step))
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            steps = self._steps()
            kept = f"the last good one is step {steps[-1]}" if steps else "there is none before it"
            raise CheckpointError(
                f"checkpoint {self._path(step)} was not written: {error.strerror or error}; {kept}"
            ) from error


def read_checkpoint(folder: Path, step: int, *groups: str) -> Checkpoint:
    """The checkpoint of a step, with all groups of tensors or with some.

    Raises one of the errors that `CheckpointManager.latest` catches if what is read is damaged.
    """
    path = _path(folder, step)
    manifest = json.loads((path / MANIFEST_FILE).read_bytes())
    if manifest["step"] != step:
        raise ValueError("its manifest belongs to another step")
    files: dict[str, bytes] = {}
    for name, expected in manifest["sha256"].items():
        if groups and name not in (STATE_FILE, *(f"{group}{TENSORS_SUFFIX}" for group in groups)):
            continue
        files[name] = (path / name).read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise ValueError(f"the checksum of {name} is wrong")
    state = json.loads(files.pop(STATE_FILE))
    return Checkpoint(
        step, {name.removesuffix(TENSORS_SUFFIX): load_tensors(data) for name, data in files.items()}, state
    )


def _path(folder: Path, step: int) -> Path:
    return folder / f"{CHECKPOINT_PREFIX}{step:08d}"


def _write_file(path: Path, data: bytes) -> str:
    """Write a file and return its SHA-256 sum."""
    write_durably(path, data)
    return hashlib.sha256(data).hexdigest()


def copied_tensor(tensor: Tensor) -> Tensor:
    """A copy that later steps do not change."""
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())
