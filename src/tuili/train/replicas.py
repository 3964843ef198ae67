"""Processes of one machine that share a run's steps: each takes some of the blocks, then all add up what they got.

Sums are made in shared memory, in an order that the replicas' numbers fix, so that all go on with the same bits. Small
values travel as JSON through pipes, which also tell when a process at the other end has died. What a replica computes
is left to `loop`, what it is built from to `run`.
"""

from __future__ import annotations

import json
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import Tensor

from tuili.errors import TuiliError
from tuili.parent import end_with_parent

DYING = 5.0
"""Seconds that a process whose pipe has closed may take to end."""

Memory = Mapping[torch.dtype, Any]
"""For each number format a block of shared memory, in which every replica has a row; the last row holds the sum."""


class ReplicaDied(TuiliError):
    """A further process was killed by a signal in the midst of its work."""


class Replica:
    """One of `count` processes that do the same steps; number 0 is the one that was there first. By default alone."""

    def __init__(
        self, number: int = 0, count: int = 1, links: Sequence[_Link] = (), memory: Memory | None = None
    ) -> None:
        self.number, self.count = number, count
        self._links = links
        self._rows = {
            dtype: torch.frombuffer(block, dtype=dtype).view(count + 1, -1) for dtype, block in (memory or {}).items()
        }

    def owns(self, block: int) -> bool:
        """Whether the block with this number is for this replica."""
        return block % self.count == self.number

    def exchange(self, value: Any) -> list[Any]:
        """What all replicas called this with, by number, once the last one has; anything that JSON can hold.

        Raises `TuiliError` in replica 0 when another one has failed or died; the others end when it has.
        """
        if self.number == 0:
            values = [value, *(link.receive() for link in self._links)]
            for link in self._links:
                link.send({"value": values})
            return values
        (first,) = self._links
        first.send({"value": value})
        return list(first.receive())

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all replicas, which call this with tensors of the same shapes."""
        for tensor, row in self._places(tensors, self.number):
            row.copy_(tensor)
        self.exchange(None)
        for rows in self._rows.values():  # each replica adds up one part of the row, for all of them
            width = rows.shape[1]
            *parts, total = rows[:, width * self.number // self.count : width * (self.number + 1) // self.count]
            torch.add(parts[0], parts[1], out=total)
            for part in parts[2:]:
                total += part
        self.exchange(None)
        for tensor, row in self._places(tensors, self.count):
            tensor.copy_(row)

    def _places(self, tensors: Sequence[Tensor], number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Each tensor and its place in a row."""
        filled: Counter[torch.dtype] = Counter()
        for tensor in tensors:
            start = filled[tensor.dtype]
            filled[tensor.dtype] += tensor.numel()
            yield tensor, self._rows[tensor.dtype][number, start : filled[tensor.dtype]].view(tensor.shape)


@contextmanager
def replicas(count: int, tensors: Sequence[Tensor], work: Callable[..., None], *arguments: Any) -> Iterator[Replica]:
    """Run `work(replica, *arguments)` in `count - 1` further processes and give this one's replica.

    `tensors` are of the shapes that will be added up. `work` must be a function of a module. The processes use as many
    threads as this one and end with the `with` block, or with this process, however it ends. Ctrl-C and SIGTERM do
    not reach them: this process decides what follows from a signal.
    """
    if count == 1:
        yield Replica()
        return
    context, links, processes = get_context("spawn"), [], []
    sizes: Counter[torch.dtype] = Counter()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.numel()
    memory = {dtype: context.RawArray("b", (count + 1) * size * dtype.itemsize) for dtype, size in sizes.items()}
    resource_tracker.ensure_running()  # starting it would unblock the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))  # a new process inherits this
    try:
        for number in range(1, count):
            reader, theirs = context.Pipe(duplex=False)
            ours, writer = context.Pipe(duplex=False)
            settings = (number, count, torch.get_num_threads(), ours, theirs, memory)
            process = context.Process(target=_run, args=(settings, work, arguments), name=f"replica-{number}")
            process.start()
            processes.append(process)
            ours.close()
            theirs.close()
            links.append(_Link(reader, writer, _Died(number, process)))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield Replica(0, count, links, memory)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def _run(
    settings: tuple[int, int, int, Connection, Connection, Memory], work: Callable[..., None], arguments: Any
) -> None:
    """What a further process does: its work, with an eye on the first process."""
    number, count, threads, reader, writer, memory = settings
    end_with_parent()
    torch.set_num_threads(threads)
    link = _Link(reader, writer, lambda: SystemExit(1))
    try:
        work(Replica(number, count, [link], memory), *arguments)
    except Exception as error:
        own = isinstance(error, TuiliError)
        if not own:
            traceback.print_exc()
        link.send({"error": f"replica {number}: {error if own else repr(error)}"})


@dataclass(frozen=True)
class _Link:
    """A pipe from, and one to, another replica."""

    reader: Connection
    writer: Connection
    lost: Callable[[], BaseException]
    """What to raise when there is nobody at the other end."""

    def send(self, message: Mapping[str, Any]) -> None:
        try:
            self.writer.send_bytes(json.dumps(message).encode())
        except OSError:
            raise self.lost() from None

    def receive(self) -> Any:
        try:
            message = json.loads(self.reader.recv_bytes())
        except (EOFError, OSError):
            raise self.lost() from None
        if "error" in message:
            raise TuiliError(message["error"])
        return message["value"]


@dataclass(frozen=True)
class _Died:
    """Makes the error for a process that has died."""

    number: int
    process: BaseProcess

    def __call__(self) -> TuiliError:
        self.process.join(DYING)
        code = self.process.exitcode or 0
        if code < 0:
            return ReplicaDied(f"replica {self.number} was killed by {signal.Signals(-code).name}")
        return TuiliError(f"replica {self.number} ended with exit code {code}")
