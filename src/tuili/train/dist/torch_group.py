"""A `Group` of processes of any machines over torch.distributed: what they say to one another, and how long they wait.

Small values travel as JSON over gloo; torch's own exchange of objects would pickle them. How processes come together is
left to `processes`, and how gradients are added up to the backends.
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
"""How much later the heartbeat ends a process in a step than torch raises an error, with which it ends in order."""

SILENT_SECONDS = 9
"""How much longer than the timeout a process may show no sign of life in a step, however long that is: with the default
all others have ended within 30 seconds, of which process 0 has 5 to tell it."""


class TorchGroup:
    """A `Group` of processes that torch.distributed has brought together, inside of `joined`.

    They wait for one another for `seconds`, or in steps as `pace` says, and for process 0 longer where it may have to
    write or to read: as long as all live, between two steps `MEETING_SECONDS` at most. Of one that shows no sign of
    life for `timeout` seconds it is taken that it hangs.
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
        """How long process 0 may take for what it alone has to do between two steps."""
        self._control = gloo_group(seconds)
        self._groups = [self._control]

    def all_gather(self, value: Any) -> list[Any]:
        """Two exchanges: of the sizes, and of what is as long as the longest."""
        if not self._in_steps:  # process 0 prepares the run, or writes the model
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
        """The sum of ones."""
        self._heartbeat.meet(self._silence, self._writing, self._tell_busy if self._in_steps else None)
        count = torch.tensor([int(value)])
        with self.watched():
            dist.all_reduce(count, group=self._control)
        return bool(count)

    def scatter(self, parts: Sequence[bytes]) -> bytes:
        """Every process gets as much as the longest part, and cuts it."""
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
        """Wait until all are ready. fault: why this one is not, for which the others raise an error of its kind."""
        for rank, of_other in enumerate(self.all_gather(None if fault is None else as_word(fault))):
            if of_other and fault is None:
                raise from_word(of_other, f"process {rank} has failed")

    def for_steps(self) -> TorchGroup:
        """The same processes, in steps of which each waits for others for the timeout longer than the last one took.

        Comes when all are ready, and raises what `get_ready` raises.
        """
        self.get_ready()
        return TorchGroup(self.place, self._heartbeat, self._timeout, MEETING_SECONDS, in_steps=True)

    def pace(self, seconds: float | None) -> None:
        """Whoever takes as long as the last step did, beside the timeout, is taken to hang, and in a step of which
        nobody knows how long it takes whoever shows no sign of life."""
        self._silence, self._writing = self._timeout, MEETING_SECONDS
        if seconds is None:
            self._wait(MEETING_SECONDS, self._silence)
        else:  # the other one may have stood still since the step began, and this one has waited since its end
            self._wait(seconds + self._timeout, self._timeout + min(2 * seconds + NOTICING_SECONDS, SILENT_SECONDS))

    def pause(self) -> None:
        """As long as before a process has come at all."""
        self._silence = MEETING_SECONDS
        self._wait(MEETING_SECONDS, self._silence)

    def watched(self) -> AbstractContextManager[None]:
        """By the heartbeat: all others in process 0, and process 0 in the others."""
        return self._heartbeat.watching(self._patience)

    def _tell_busy(self) -> None:
        if self.place.stands_in:
            told = f"process 0 has been busy for {BUSY_SECONDS} s, and the others wait for it"
            sys.stderr.write(f"process {self.rank}: {told}\n")
            sys.stderr.flush()

    def _wait(self, seconds: float, patience: float) -> None:
        """seconds: for one another, in torch. patience: for a sign of life, where that does not end before."""
        self._seconds, self._patience = seconds, patience
        for group in self._groups:
            group.set_timeout(timedelta(seconds=seconds))

    def of_gradients(self, groups: Sequence[Sequence[int]] | None = None) -> dist.ProcessGroup:
        """A group on which nothing else is sent: of all processes, or that of `groups` in which this one is."""
        wait = timedelta(seconds=self._seconds)
        if groups is None:
            made = dist.new_group(timeout=wait)
        else:
            made, _ = dist.new_subgroups_by_enumeration([list(ranks) for ranks in groups], timeout=wait)
        assert isinstance(made, dist.ProcessGroup)
        self._groups.append(made)
        return made


def gloo_group(seconds: float) -> dist.ProcessGroup:
    """A group that can send bytes from the CPU."""
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
