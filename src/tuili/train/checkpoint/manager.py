"""The checkpoints of a run: copied in a step, written beside the next ones, and moved into place as a whole.

Each process of a group writes what it has. The first one waits for the others' parts on the disk, in its writer, and
publishes them; that one of them has failed, all hear behind the next step. What is written is left to `writing`.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor

from tuili.config import Config
from tuili.errors import CheckpointError
from tuili.train.checkpoint.layout import SCRATCH_PREFIX, checkpoint_path, saved_steps
from tuili.train.checkpoint.reading import Checkpoint, latest_checkpoint
from tuili.train.checkpoint.writing import Piece, Pieces, hand_over, parts_of, publish, write_part
from tuili.train.dist.group import Group, SingleProcess

LOOK_SECONDS = 0.02
SHARING_SECONDS = 30.0
"""After which parts that have been written, and are not seen, are taken to be on another disk."""
LEAVING_SECONDS = 3.0
"""For parts that may come, where the training has ended by an error."""


class CheckpointConfig(Config):
    """When the state of a run is saved."""

    interval: PositiveInt = 200
    """Steps between two checkpoints."""
    keep: PositiveInt = 2
    """How many stay on disk."""


@dataclass
class _Saving:
    """A checkpoint that is being written. Moments are those of `time.monotonic`."""

    step: int
    job: Future[None]
    others_ended: float | None = None
    """When all other processes were known to have written their parts."""


class CheckpointManager:
    """One process's view of the checkpoints of a run. One writer at a time; `close` (or `with`) waits for it.

    All processes of a group call `save`, `check` and `close` alike. What kept one of them from writing, such as a full
    disk, the next call raises in all as `CheckpointError`; the checkpoints on the disk stay as they are. Where the
    training has failed already, `tell` is given the writer's error. run: what tells this run from others.

    The first process removes what a crash has left half written: the others save when it has been made there.
    """

    def __init__(
        self, folder: Path, keep: int, tell: Callable[[str], None], group: Group | None = None, run: str | None = None
    ) -> None:
        self._folder, self._keep, self._tell, self._run = folder, keep, tell, run
        self._group: Group = SingleProcess() if group is None else group
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._saving: _Saving | None = None
        self._until = math.inf
        self.stall = 0.0
        """Seconds for which `save` has held up the training in all."""
        if self._group.rank == 0:
            for leftover in folder.glob(f"{SCRATCH_PREFIX}*"):
                shutil.rmtree(leftover)

    def __enter__(self) -> CheckpointManager:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._leave(LEAVING_SECONDS)
        if self._saving is not None and (fault := _fault(self._saving.job)):
            self._tell(str(self._failure(self._saving, self._group.rank, fault)))  # beside the error that is under way

    def save(self, step: int, tensors: Pieces, state: Mapping[str, Any], *, are_copies: bool = False) -> None:
        """Copy the tensors now and write them in the background. Waits only until the write before has ended.

        tensors, state: what this process writes; the state is that of process 0. are_copies: whether nobody changes
        the tensors, which need no copies then.
        """
        begun = time.perf_counter()
        self.close()
        pieces = {group: {name: Piece.of(value) for name, value in named.items()} for group, named in tensors.items()}
        if not are_copies:
            pieces = {group: {name: _copied(piece) for name, piece in named.items()} for group, named in pieces.items()}
        document = json.dumps(dict(state))
        self._saving = _Saving(step, self._writer.submit(self._write, step, pieces, document))
        self.stall += time.perf_counter() - begun

    def check(self) -> None:
        """Hear how far all processes are with writing. Raises the error of one that has failed, without waiting."""
        saving = self._saving
        if saving is None:
            return
        self._group.anyone(False)  # others wait longer in it for process 0, which may still be writing the log
        reports = self._group.all_gather([saving.job.done(), _fault(saving.job) if saving.job.done() else None])
        for rank, (_, fault) in enumerate(reports):
            if fault is not None:
                self._saving = None
                raise self._failure(saving, rank, fault)
        if reports[0][0]:
            self._saving = None
        elif saving.others_ended is None and all(done for done, _ in reports[1:]):
            saving.others_ended = time.monotonic()

    def close(self) -> None:
        """Wait until everything is on disk."""
        while self._saving is not None:
            wait([self._saving.job], LOOK_SECONDS)
            self.check()

    def latest(self) -> Checkpoint | None:
        """What `latest_checkpoint` gives, which is told of damaged ones."""
        return latest_checkpoint(self._folder, self._tell)

    def _write(self, step: int, pieces: dict[str, dict[str, Piece]], state: str) -> None:
        """What the writer does: process 0's ends when the checkpoint is there, that of others with their parts."""
        scratch, rank, world_size = self._scratch(step), self._group.rank, self._group.world_size
        scratch.mkdir(parents=True, exist_ok=True)
        part = write_part(scratch, rank, world_size, pieces)
        if rank > 0:
            hand_over(scratch, rank, part)
            return
        while (parts := parts_of(scratch, world_size - 1)) is None:
            time.sleep(LOOK_SECONDS)
            if time.monotonic() > self._until:
                raise CheckpointError("another process has ended before it had written its part")
            ended = self._saving.others_ended if self._saving else None
            if ended is not None and time.monotonic() > ended + SHARING_SECONDS:
                raise CheckpointError("what other processes have written is not here: all need the same file system")
        publish(self._folder, scratch, step, self._run, [part, *parts], state)
        for old_step in saved_steps(self._folder)[: -self._keep]:
            shutil.rmtree(checkpoint_path(self._folder, old_step))

    def _failure(self, saving: _Saving, rank: int, fault: str) -> CheckpointError:
        """The error of all processes where one has failed to write. Who is the last to end removes all they wrote."""
        self._leave(0)
        shutil.rmtree(self._scratch(saving.step), ignore_errors=True)
        steps = saved_steps(self._folder)
        kept = f"the last good one is step {steps[-1]}" if steps else "there is none before it"
        who = f"process {rank}: " if self._group.world_size > 1 else ""
        path = checkpoint_path(self._folder, saving.step)
        return CheckpointError(f"checkpoint {path} was not written: {who}{fault}; {kept}")

    def _leave(self, patience: float) -> None:
        """Let the writer end, which waits for other processes for so many seconds yet."""
        self._until = min(self._until, time.monotonic() + patience)
        self._writer.shutdown()

    def _scratch(self, step: int) -> Path:
        return self._folder / f"{SCRATCH_PREFIX}{step:08d}"


def copied_tensor(tensor: Tensor) -> Tensor:
    """A copy that later steps do not change."""
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())


def _copied(piece: Piece) -> Piece:
    return replace(piece, numbers=copied_tensor(piece.numbers))


def _fault(job: Future[None]) -> str | None:
    """What has kept a writer that has ended from writing. What is no fault of the disk is raised as it was."""
    error = job.exception()
    if isinstance(error, (OSError, CheckpointError)):
        return getattr(error, "strerror", None) or str(error)
    if error is not None:
        raise error
    return None
