"""A `Group` of processes on any machines over torch.distributed: how they communicate, and how long they wait.

Small values travel as JSON over gloo; torch's own object collectives would pickle them. How processes find each other
is left to `processes`, and how gradients are summed to the backends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from tuili.errors import TuiliError
from tuili.train.dist.group import MEETING_SECONDS, PREPARATION_SECONDS, as_word, from_word
from tuili.train.dist.processes.heartbeat import BUSY_SECONDS, Heartbeat
from tuili.train.dist.processes.place import Place

NOTICING_SECONDS = 5
"""How much later, in a step, the heartbeat ends a process than torch raises an error, with which it ends cleanly."""

SILENT_SECONDS = 9
"""How much longer than the timeout a process may show no sign of life in a step, however long the step: with the
default timeout, all others have ended within 30 seconds, 5 of them for process 0 to report the loss."""


class TorchGroup:
    """A `Group` of processes that torch.distributed has connected, inside `joined`.

    Processes wait for each other for `seconds`, or in steps as `pace` says. They wait longer for process 0 where it may
    have to write or read: as long as all are alive, but between two steps at most `MEETING_SECONDS`. A process that
    shows no sign of life for `timeout` seconds is taken to hang.
    """

    def __init__(
        self,
        place: Place,
        heartbeat: Heartbeat,
        timeout: int,
        seconds: float = PREPARATION_SECONDS,
        in_steps: bool = False,
    ) -> None:
        self.place, self.rank, self.world_size = place, place.rank, place.world_size
        self._heartbeat, self._timeout, self._seconds, self._in_steps = heartbeat, timeout, seconds, in_steps
        self._silence = self._patience = float(timeout)
        self._writing = float(PREPARATION_SECONDS)
        """How long process 0 may take between two steps for work that it alone does."""
        self._control = gloo_group(seconds)
        self._groups = [self._control]

    def all_gather(self, value: Any) -> list[Any]:
        """Two all-gathers: of the sizes, and of the values padded to the longest."""
        if not self._in_steps:  # process 0 may be preparing the run or writing the model
            self._heartbeat.meet(self._silence, PREPARATION_SECONDS)
        own = _bytes(json.dumps(value).encode())
        sizes = torch.empty(self.world_size, dtype=torch.int64)
        with self.watched():
            dist.all_gather_single(sizes, torch.tensor([len(own)]), self._control)
            room = int(sizes.max())
            everyone = torch.empty(self.world_size, room, dtype=torch.uint8)
            dist.all_gather_single(everyone.view(-1), _padded(own, room), self._control)
        return [json.loads(_data(row[:size])) for row, size in zip(everyone, sizes.tolist(), strict=True)]

    def anyone(self, value: bool) -> bool:
        """An all-reduce that counts the true values."""
        self._heartbeat.meet(self._silence, self._writing, self._tell_busy if self._in_steps else None)
        count = torch.tensor([int(value)])
        with self.watched():
            dist.all_reduce(count, group=self._control)
        return bool(count)

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """Every process receives its part padded to the longest, and cuts off the padding."""
        self._heartbeat.meet(self._silence, PREPARATION_SECONDS)
        first = self.rank == 0
        sizes = torch.tensor([len(part) for part in parts] if first else [0] * self.world_size)
        dist.broadcast(sizes, group=self._control, group_src=0)
        room = int(sizes.max())
        part = torch.empty(room, dtype=torch.uint8)
        padded = [_padded(_bytes(data), room) for data in parts] if first else None
        dist.scatter(part, padded, group=self._control, group_src=0)
        return _data(part[: int(sizes[self.rank])])

    def get_ready(self, fault: TuiliError | None = None) -> None:
        """Wait until all are ready. fault: why this one is not; the others then raise an error of the same kind."""
        for rank, of_other in enumerate(self.all_gather(None if fault is None else as_word(fault))):
            if of_other and fault is None:
                raise from_word(of_other, f"process {rank} has failed")

    def for_steps(self) -> TorchGroup:
        """The same processes, in steps where each waits for the others for the last step's duration plus the timeout.

        Returns once all are ready, and raises what `get_ready` raises.
        """
        self.get_ready()
        return TorchGroup(self.place, self._heartbeat, self._timeout, MEETING_SECONDS, in_steps=True)

    def pace(self, seconds: float | None) -> None:
        """A process that takes longer than the last step plus the timeout is taken to hang; in a step of unknown
        duration, one that shows no sign of life."""
        self._silence, self._writing = self._timeout, MEETING_SECONDS
        if seconds is None:
            self._wait(MEETING_SECONDS, self._silence)
        else:  # the other one may have hung since the step began, while this one waits only since its own work ended
            self._wait(seconds + self._timeout, self._timeout + min(2 * seconds + NOTICING_SECONDS, SILENT_SECONDS))

    def pause(self) -> None:
        """Wait as long as for a process that has not started yet."""
        self._silence = MEETING_SECONDS
        self._wait(MEETING_SECONDS, self._silence)

    def watched(self) -> AbstractContextManager[None]:
        """By the heartbeat: process 0 watches all others, and they watch process 0."""
        return self._heartbeat.watching(self._patience)

    def _tell_busy(self) -> None:
        if self.place.stands_in:
            told = f"process 0 has been busy for {BUSY_SECONDS} s, and the others wait for it"
            sys.stderr.write(f"process {self.rank}: {told}\n")
            sys.stderr.flush()

    def _wait(self, seconds: float, patience: float) -> None:
        """seconds: torch's timeout. patience: the wait for a sign of life, if torch's timeout is not shorter."""
        self._seconds, self._patience = seconds, patience
        for group in self._groups:
            group.set_timeout(timedelta(seconds=seconds))

    def of_gradients(self, groups: Sequence[Sequence[int]] | None = None) -> dist.ProcessGroup:
        """A group that carries nothing else: of all processes, or the one of `groups` that contains this process."""
        wait = timedelta(seconds=self._seconds)
        if groups is None:
            made = dist.new_group(timeout=wait)
        else:
            made, _ = dist.new_subgroups_by_enumeration([list(ranks) for ranks in groups], timeout=wait)
        assert isinstance(made, dist.ProcessGroup)
        self._groups.append(made)
        return made


def gloo_group(seconds: float) -> dist.ProcessGroup:
    """A process group that can send bytes from the CPU."""
    group = dist.new_group(backend="gloo", timeout=timedelta(seconds=seconds))
    assert isinstance(group, dist.ProcessGroup)
    return group


def _bytes(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _padded(numbers: Tensor, room: int) -> Tensor:
    return torch.nn.functional.pad(numbers, (0, room - len(numbers)))


def _data(numbers: Tensor) -> bytes:
    data: bytes = numbers.numpy().tobytes()
    return data
