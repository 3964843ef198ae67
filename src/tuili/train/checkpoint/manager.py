"""The checkpoints of a run: copied in a step, written beside the next ones, and moved into place as a whole.

Each process of a group writes what it has. The first one waits for the others' parts on the disk, in its writer, and
publishes them; that one of them has failed, all hear behind the next step. What is written is left to `writing`, how
long a disk may take to `saving`.
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
"""For parts that may come, where the training has ended by an error and nothing more of them comes to the disk."""
TELLING_SECONDS = 30.0
"""After which it is told that the training waits for a disk."""
LEAST_BESIDE = 5
"""Steps that may be made beside any write, which gives way to them."""


class CheckpointConfig(Config):
    """When the state of a run is saved."""

    interval: PositiveInt = 200
    """Steps between two checkpoints."""
    keep: PositiveInt = 2
    """How many stay on disk."""

    beside: float = Field(0.1, gt=0, le=1)
    """Share of an interval in which steps are made beside the writing of one, before they wait for it: what a kill may
    cost beside an interval. 1 waits for a slow disk at the next one alone."""

    @property
    def steps_beside(self) -> int:
        """The steps of that share, at least `LEAST_BESIDE`."""
        return max(LEAST_BESIDE, math.ceil(self.beside * self.interval))


class CheckpointManager:
    """One process's view of the checkpoints of a run. One writer at a time; `close` (or `with`) waits for it.

    All processes of a group call `save`, `check` and `close` alike. What kept one of them from writing, such as a full
    disk, the next call raises in all as `CheckpointError`; the checkpoints on the disk stay as they are. A disk that
    does not answer any more is told by process 0 alone. Where the training has failed already, `tell` is given the
    writer's error; and a line where a disk takes long, or an old checkpoint cannot be removed.

    run: what tells this run from others. last: the step of the checkpoint that the run goes on from, by default of the
    newest one that is there; `latest` finds it out, too.

    The first process removes what a crash has left half written: the others save when it has been made there.
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
        """Seconds for which `save` and `wait` have held up the training in all."""
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
                if fault is not None:  # beside the error that is under way
                    self._tell(str(self._failure(saving, self._group.rank, fault, hangs=not ended)))

    def save(self, step: int, tensors: Pieces, state: Mapping[str, Any], *, beside_steps: bool = True) -> None:
        """Copy the tensors now and write them in the background. Waits only until the write before has ended.

        tensors, state: what this process writes; the state is that of process 0. beside_steps: whether steps follow, to
        which the writer gives way.
        """
        self.wait()
        begun = time.perf_counter()
        pieces = {group: {name: _copied(value) for name, value in named.items()} for group, named in tensors.items()}
        document = json.dumps(dict(state))
        self._saving = Saving(step, partial(self._write, pieces, document), beside_steps=beside_steps)
        self.stall += time.perf_counter() - begun

    def check(self) -> Sequence[int]:
        """Hear how far all processes are with writing; returns those that write. Raises the error of one that has
        failed, without waiting."""
        saving = self._saving
        if saving is None:
            return ()
        self._group.anyone(False)  # others wait longer in it for process 0, which may still be writing the log
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

    def wait(self) -> None:
        """What `close` does, between steps, which it holds up."""
        begun = time.perf_counter()
        self.close()
        self.stall += time.perf_counter() - begun

    def close(self) -> None:
        """Wait until everything is on disk, as long as those that write get on with it."""
        while (saving := self._saving) is not None:
            saving.wait()
            self._tell_once(saving, self.check())

    def latest(self) -> Checkpoint | None:
        """What `latest_checkpoint` gives, which is told of damaged ones. The run goes on from it."""
        if (checkpoint := latest_checkpoint(self._folder, self._tell)) is not None:
            self._last = checkpoint.step
        return checkpoint

    def _write(self, pieces: dict[str, dict[str, Piece]], state: str, saving: Saving) -> None:
        """What the writer does: process 0's ends when the checkpoint is there, that of others with their parts."""
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
        """Wait for them, in the writer of process 0."""
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
        """The error of all processes where one has failed to write. Who is the last to end removes all they wrote,
        unless a disk hangs: the next session does it then."""
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
        """Wait until the writer of this process has ended, or hangs."""
        while not saving.is_over:
            saving.wait()
            self._tell_once(saving, [self._group.rank] if saving.writes else [])

    def _tell_once(self, saving: Saving, writing: Sequence[int]) -> None:
        """Tell who is still writing, where this process has waited long for them."""
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
    """What later steps do not change."""
    piece = Piece.of(value)
    numbers = torch.empty(piece.numbers.shape, dtype=piece.numbers.dtype).copy_(piece.numbers.detach())
    return replace(piece, numbers=numbers)
