"""The checkpoints of a run: copied within a step, written during the next ones, and moved into place as a whole.

Each process of a group writes what it holds. The writer of process 0 waits until the parts of the others are on the
disk, and publishes them. If one of them fails, all processes learn of it after the next step. `writing` defines what is
written, `saving` how long a disk may take.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from tuili.config import Config
from tuili.errors import CheckpointError, InputError
from tuili.train.checkpoint.layout import SCRATCH_PREFIX, checkpoint_path, saved_steps
from tuili.train.checkpoint.reading import Checkpoint, latest_checkpoint
from tuili.train.checkpoint.saving import LOOK_SECONDS, Saving
from tuili.train.checkpoint.writing import (
    Part,
    Piece,
    Pieces,
    hand_over,
    parts_of,
    prune,
    publish,
    size_of,
    write_part,
)
from tuili.train.dist.group import SHARING_SECONDS, Group, SingleProcess, told_once

LEAVING_SECONDS = 3.0
"""How long to wait for further parts after the training has ended with an error and nothing more reaches the disk."""
TELLING_SECONDS = 30.0
"""After this time, the user is told that the training waits for a disk."""
LEAST_BESIDE = 5
"""Steps that may always be made alongside a write, which gives way to them."""


class CheckpointConfig(Config):
    """When the state of a run is saved."""

    interval: PositiveInt = 200
    """Steps between two checkpoints."""
    keep: PositiveInt = 2
    """How many checkpoints stay on disk."""
    beside: float = Field(0.1, gt=0, le=1)
    """Share of an interval for which steps continue while a checkpoint is written, before they wait for it: what a kill
    may cost on top of an interval. With 1, steps wait for a slow disk only at the next checkpoint."""

    @property
    def steps_beside(self) -> int:
        """That share in steps, at least `LEAST_BESIDE`."""
        return max(LEAST_BESIDE, round(self.beside * self.interval))


class CheckpointManager:
    """One process's view of the checkpoints of a run. It has one writer at a time; `close` (or `with`) waits for it.

    All processes of a group call `save`, `after_step`, `check` and `close` alike. If one of them could not write, for
    example because of a full disk, the next call raises `CheckpointError` in all of them; the checkpoints on the disk
    stay as they are. Only process 0 reports a disk that no longer answers. If the training has already failed, the
    writer's error is passed to `tell`, and so is a line when a disk takes long or an old checkpoint cannot be removed.

    run: what distinguishes this run from others. last: the step of the checkpoint from which the run resumes, by
    default that of the newest one on disk; `latest` also sets it.

    In process 0 the constructor removes what a crash left half written; the other processes save only after that.
    """

    def __init__(
        self,
        folder: Path,
        keep: int,
        tell: Callable[[str], None],
        group: Group | None = None,
        run: str | None = None,
        last: int | None = None,
    ) -> None:
        self._folder, self._keep, self._tell, self._run = folder, keep, tell, run
        self._group: Group = SingleProcess() if group is None else group
        self._saving: Saving | None = None
        self._until, self._has_told_left = math.inf, False
        self.stall = 0.0
        """Total seconds for which `save` and `after_step` have held up the training."""
        if self._group.rank == 0:
            for leftover in folder.glob(f"{SCRATCH_PREFIX}*/"):
                try:
                    shutil.rmtree(leftover)
                except OSError as error:
                    fault = f"{leftover} is half written, and cannot be removed: {error.strerror or error}"
                    raise InputError(f"{fault}; remove it, then add --resume") from error
        self._last = max(saved_steps(folder), default=None) if last is None else last

    def __enter__(self) -> CheckpointManager:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            if (saving := self._saving) is not None:
                self._until = time.monotonic() + LEAVING_SECONDS
                self._wait(saving)
                ended, fault = saving.report()[:2]
                if fault is not None:  # in addition to the error being raised
                    self._tell(str(self._failure(saving, self._group.rank, fault, hangs=not ended)))

    def save(self, step: int, tensors: Pieces, state: Mapping[str, Any], *, beside_steps: bool = True) -> None:
        """Copy the tensors now and write them in the background. Waits only until the previous write has ended.

        tensors, state: what this process writes; only process 0's state is used. beside_steps: whether steps follow, to
        which the writer gives way.
        """
        self._hold_up()
        begun = time.perf_counter()
        pieces = {group: {name: _copied(value) for name, value in named.items()} for group, named in tensors.items()}
        document = json.dumps(dict(state))
        self._saving = Saving(step, partial(self._write, pieces, document), beside_steps=beside_steps)
        self.stall += time.perf_counter() - begun

    def after_step(self, step: int, most: int) -> None:
        """`check`, or wait for the checkpoint being written if `most` steps were made alongside it. All processes call
        this after the same steps."""
        if self._saving is None or step - self._saving.step < most:
            self.check()
        else:
            self._hold_up()

    def check(self) -> Sequence[int]:
        """Exchange how far all processes are with writing; returns the ranks that still write. If one has failed,
        raises its error without waiting."""
        saving = self._saving
        if saving is None:
            return ()
        self._group.anyone(False)  # here the others wait longer for process 0, which may still be writing the log
        reports = self._group.all_gather(saving.report())
        for rank, (ended, fault, _) in enumerate(reports):
            if fault is not None:
                self._saving = None
                error = self._failure(saving, rank, fault, hangs=not ended)
                raise error if ended else told_once(self._group, error)
        if reports[0][0]:
            self._saving, self._last = None, saving.step
            if saving.left is not None and not self._has_told_left:
                self._has_told_left = True
                self._tell(f"{saving.left}; it is tried again behind each checkpoint")
        elif saving.others_ended is None and all(ended for ended, *_ in reports[1:]):
            saving.others_ended = time.monotonic()
        return [rank for rank, (*_, writes) in enumerate(reports) if writes]

    def close(self) -> None:
        """Wait until everything is on disk, as long as the processes that write make progress."""
        while (saving := self._saving) is not None:
            saving.wait()
            self._tell_once(saving, self.check())

    def latest(self) -> Checkpoint | None:
        """Return `latest_checkpoint`, which reports damaged ones to `tell`. The run resumes from the result."""
        if (checkpoint := latest_checkpoint(self._folder, self._tell)) is not None:
            self._last = checkpoint.step
        return checkpoint

    def _hold_up(self) -> None:
        """Do what `close` does, but between steps: the time counts as `stall`."""
        begun = time.perf_counter()
        self.close()
        self.stall += time.perf_counter() - begun

    def _write(self, pieces: dict[str, dict[str, Piece]], state: str, saving: Saving) -> None:
        """The writer thread. In process 0 it ends when the checkpoint is in place, in the others with their parts."""
        scratch, rank, world_size = self._scratch(saving.step), self._group.rank, self._group.world_size
        scratch.mkdir(parents=True, exist_ok=True)
        part = write_part(scratch, rank, world_size, pieces, saving.go_on)
        if rank > 0:
            hand_over(scratch, rank, part, saving.go_on)
            return
        parts = [part, *self._parts_of_others(saving, scratch)]
        publish(self._folder, scratch, saving.step, self._run, parts, state, saving.go_on)
        saving.left = prune(self._folder, self._keep, self._last, saving.step)

    def _parts_of_others(self, saving: Saving, scratch: Path) -> list[Part]:
        """Wait for the parts of the other processes, in the writer of process 0."""
        saving.writes, begun = False, time.monotonic()
        grown, seen = begun, -1
        while (parts := parts_of(scratch, self._group.world_size - 1)) is None:
            time.sleep(LOOK_SECONDS)
            saving.go_on()
            if (size := size_of(scratch)) != seen:
                grown, seen = time.monotonic(), size
            if time.monotonic() > max(self._until, grown + LEAVING_SECONDS):
                raise CheckpointError("another process has ended, or writes no more, before its part is here")
            if time.monotonic() > max(saving.others_ended or math.inf, begun) + SHARING_SECONDS:
                raise CheckpointError("what other processes have written is not here: all need the same file system")
        saving.writes = True
        return parts

    def _failure(self, saving: Saving, rank: int, fault: str, *, hangs: bool) -> CheckpointError:
        """The error that all processes raise when one has failed to write. The last process to end removes all they
        wrote, unless a disk hangs: then the next session does."""
        saving.leave()
        if not hangs:
            self._wait(saving)
            if saving.has_ended:
                shutil.rmtree(self._scratch(saving.step), ignore_errors=True)
        kept = "there is none before it" if self._last is None else f"the last good one is step {self._last}"
        who = f"process {rank}: " if self._group.world_size > 1 else ""
        path = checkpoint_path(self._folder, saving.step)
        return CheckpointError(f"checkpoint {path} was not written: {who}{fault}; {kept}")

    def _wait(self, saving: Saving) -> None:
        """Wait until the writer of this process has ended or hangs."""
        while not saving.is_over:
            saving.wait()
            self._tell_once(saving, [self._group.rank] if saving.writes else [])

    def _tell_once(self, saving: Saving, writing: Sequence[int]) -> None:
        """Report which processes are still writing if this process has waited long for them."""
        if saving.is_told or not writing or saving.waited < TELLING_SECONDS:
            return
        saving.is_told = True
        ranks = f"process{'es' * (len(writing) > 1)} {', '.join(map(str, writing))}"
        by = f" by {ranks}" if self._group.world_size > 1 else ""
        path = checkpoint_path(self._folder, saving.step)
        self._tell(f"checkpoint {path} is still being written{by}: the training has waited for {TELLING_SECONDS:.0f} s")

    def _scratch(self, step: int) -> Path:
        return self._folder / f"{SCRATCH_PREFIX}{step:08d}"


def _copied(value: Tensor | Piece) -> Piece:
    """A copy, which later steps do not change."""
    piece = Piece.of(value)
    numbers = torch.empty(piece.numbers.shape, dtype=piece.numbers.dtype).copy_(piece.numbers.detach())
    return replace(piece, numbers=numbers)
