"""How a process joins those that were started together with it, as a group until the training ends.

Starting the processes is left to `launch` or torchrun, how they find each other to `rendezvous`, and how they
communicate to `torch_group`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist

from tuili.config import shortened
from tuili.errors import InputError
from tuili.train.dist.group import MEETING_SECONDS, ReplicaDied
from tuili.train.dist.processes.connecting import LOCAL, connected
from tuili.train.dist.processes.ended import end_beside_silent
from tuili.train.dist.processes.noticing import noticing_loss, without_place
from tuili.train.dist.processes.place import Place, check_place, end_with_starter, where_first_is
from tuili.train.dist.processes.rendezvous import excuse, meet
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.recipe import TrainConfig

CONNECTING_SECONDS = 30
"""How long processes that have all come may take to connect: none of them has anything left to load by then."""


@contextmanager
def joined(train: TrainConfig, device: str | None = None) -> Iterator[TorchGroup]:
    """The processes that were started together with this one, as a group until the `with` block ends.

    device: the one that the run began with, if it has begun. Raises `InputError` if `check_place` does, if a process
    has no GPU of its own, or if the processes do not meet and connect. What torch raises inside the block if another
    process is gone or does not answer in time becomes `ReplicaDied`. If this process waits in torch for one that shows
    no sign of life, it exits immediately.
    """
    place = check_place(train)
    assert place is not None, "replicas start processes by themselves"
    address, port = where_first_is()
    end_with_starter()
    on_gpu = (device or train.device) != "cpu" and torch.cuda.is_available()
    if on_gpu and (fault := _take_own_gpu(place)):
        excuse(place, address, port, fault)
        raise InputError(fault)
    if address in LOCAL:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with ExitStack() as opened:
        try:
            store = meet(place, address, port)
            store.set_timeout(timedelta(seconds=CONNECTING_SECONDS))
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
                store=store,
                timeout=timedelta(seconds=CONNECTING_SECONDS),
                rank=place.rank,
                world_size=place.world_size,
            )
            heartbeat = opened.enter_context(
                connected(place, store, address, CONNECTING_SECONDS, partial(end_beside_silent, place))
            )
            everyone = dist.group.WORLD
            assert everyone is not None
            for waiting in (store, everyone):  # from now on the heartbeat detects who hangs
                waiting.set_timeout(timedelta(seconds=MEETING_SECONDS))
            with heartbeat.watching(train.dist.timeout):
                group = TorchGroup(place, heartbeat, train.dist.timeout)
        except RuntimeError as error:
            raise InputError(
                f"process {place.rank} of {place.world_size} did not connect to the others, which it met at "
                f"{address}:{port} ({without_place(error)}): check that all still run, and that machines reach one "
                "another at any port; GLOO_SOCKET_IFNAME names the network"
            ) from error
        try:
            with noticing_loss():
                yield group
        except ReplicaDied as error:  # closing the group would wait for processes that are gone
            error.first_tells = heartbeat.first_tells()
            raise
        except BaseException:
            if place.rank == 0:
                heartbeat.first_tells()
            dist.destroy_process_group()
            raise
        dist.destroy_process_group()


def agree(group: TorchGroup, facts: Mapping[str, str]) -> None:
    """Raise `InputError` in all processes unless all were started with the same facts."""
    first, *others = group.all_gather(dict(facts))
    for rank, other in enumerate(others, start=1):
        for name in first | other:
            ours, theirs = (of.get(name, "none") for of in (first, other))
            if ours != theirs:
                ours, theirs = shortened(ours), shortened(theirs)
                raise InputError(f"process {rank} has {name} = {theirs}, process 0 has {ours}: start all with the same")


def _take_own_gpu(place: Place) -> str | None:
    """Let this process use a GPU of its own. Returns what is wrong if this machine has fewer GPUs than processes."""
    number, count = place.local_rank, torch.cuda.device_count()
    if "LOCAL_RANK" not in os.environ and count > 1:
        return "environment: LOCAL_RANK is missing: should be the number of a process on its machine, and of its GPU"
    if number >= count:
        return (
            f"train.device: process {number} of this machine has no GPU of its own among {count}: start as many "
            "processes as there are GPUs, or set train.device=cpu"
        )
    torch.cuda.set_device(number)
    return None
