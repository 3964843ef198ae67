"""Starts processes on this machine that share a run's steps, and reports how they end.

What they exchange is left to `shared_memory`, what a replica computes to `trainer`, and what it is built from to
`build`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import Tensor

from tuili.errors import TuiliError
from tuili.parent import end_with_parent
from tuili.train.dist.channel import Channel
from tuili.train.dist.config import TIMEOUT
from tuili.train.dist.group import (
    EXIT_ALONE,
    MEETING_SECONDS,
    PREPARATION_SECONDS,
    ReplicaDied,
    ReplicaGroup,
    SingleProcess,
)
from tuili.train.dist.processes.heartbeat import Heartbeat
from tuili.train.dist.shared_memory import SharedMemory, SharedMemoryGroup
from tuili.train.signals import ENDING_SIGNALS

EXIT_TIMEOUT_SECONDS = 5.0
"""How long a process may take to end after its socket has closed."""


@contextmanager
def launch_replicas(
    world_size: int,
    tensors: Sequence[Tensor],
    work: Callable[..., object],
    *arguments: Any,
    timeout: int = TIMEOUT,
) -> Iterator[ReplicaGroup]:
    """Run `work(group, *arguments)` in `world_size - 1` further processes, and give this process its view of the group.

    `tensors` have the shapes of the most that the processes will share in one call. `work` must be a module-level
    function. The processes use as many threads as this one. They end with the `with` block, or with this process,
    however it ends, or if they wait for it while it is stopped. Signals that end this process do not reach them: it
    decides what follows from a signal. `timeout` is that of `SharedMemoryGroup`.
    """
    if world_size == 1:
        yield SingleProcess()
        return
    context, channels, processes = get_context("spawn"), list[Channel](), list[SpawnProcess]()
    sizes: Counter[torch.dtype] = Counter()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.numel()
    memory = {dtype: context.RawArray("b", (world_size + 1) * size * dtype.itemsize) for dtype, size in sizes.items()}
    resource_tracker.ensure_running()  # starting it later would unblock the signals
    silent, links = dict[int, ReplicaDied](), dict[int, socket.socket]()

    def kill_silent(error: ReplicaDied) -> None:
        assert error.lost is not None, "it is known who is silent"
        silent[error.lost] = error
        processes[error.lost - 1].kill()

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)  # a new process inherits this mask
    opened = ExitStack()
    try:
        for rank in range(1, world_size):
            ours, theirs = context.Pipe()
            links[rank], link = (opened.enter_context(end) for end in socket.socketpair())
            settings = (rank, world_size, torch.get_num_threads(), timeout, theirs, link, memory)
            process = context.Process(target=_run_replica, args=(settings, work, arguments), name=f"replica-{rank}")
            process.start()
            processes.append(process)
            theirs.close()
            link.close()
            channel = Channel(ours, rank, partial(_death_error, rank, process, silent))
            channel.wait_at_most(PREPARATION_SECONDS)
            channels.append(channel)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        heartbeat = opened.enter_context(closing(Heartbeat(0, links, kill_silent)))
        yield SharedMemoryGroup(0, world_size, channels, memory, timeout, heartbeat)
    finally:
        opened.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for process in processes:
            process.kill()
        for process in processes:
            process.join(EXIT_TIMEOUT_SECONDS)  # a process that waits for a disk cannot be killed


def _run_replica(
    settings: tuple[int, int, int, int, Connection, socket.socket, SharedMemory],
    work: Callable[..., object],
    arguments: Any,
) -> None:
    """What a further process does: run `work`, until that or process 0 ends."""
    rank, world_size, threads, timeout, connection, link, memory = settings
    end_with_parent()
    heartbeat = Heartbeat(rank, {0: link}, partial(_end_beside_silent_first, rank))  # for as long as this process lives
    torch.set_num_threads(threads)
    channel = Channel(connection, 0, lambda: SystemExit(1))
    channel.wait_at_most(PREPARATION_SECONDS)
    try:
        work(SharedMemoryGroup(rank, world_size, [channel], memory, timeout, heartbeat), *arguments)
    except ReplicaDied as error:  # process 0 is stopped, or has lost another process and is about to end this one
        if heartbeat.first_tells():
            time.sleep(MEETING_SECONDS)
        _end_beside_silent_first(rank, error)
    except Exception as error:
        expected = isinstance(error, TuiliError)
        if not expected:
            traceback.print_exc()
        channel.send({"error": f"replica {rank}: {error if expected else repr(error)}"})


def _end_beside_silent_first(rank: int, error: ReplicaDied) -> None:
    """End this process because process 0 does not respond, as when it alone was stopped. Only replica 1 reports it."""
    try:
        if rank == 1:
            sys.stderr.write(f"tuili: error: replica {rank}: {error}\n")
            sys.stderr.flush()
    finally:  # perhaps nobody reads stderr any more
        os._exit(EXIT_ALONE)


def _death_error(rank: int, process: BaseProcess, silent: Mapping[int, ReplicaDied]) -> TuiliError:
    """The error that says how a process ended. silent: why process 0 killed some of them, by rank."""
    process.join(EXIT_TIMEOUT_SECONDS)
    if rank in silent:
        return silent[rank]
    code = process.exitcode or 0
    if code == EXIT_ALONE:
        return ReplicaDied(f"replica {rank} has ended, as process 0 stood still", 0)
    if code < 0:
        return ReplicaDied(f"replica {rank} was killed by {signal.Signals(-code).name}", rank)
    return TuiliError(f"replica {rank} ended with exit code {code}")
