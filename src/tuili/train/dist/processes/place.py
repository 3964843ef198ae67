"""Which process of a run this one is, according to torchrun's environment, and whether that suits the recipe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tuili.errors import InputError
from tuili.parent import LAUNCHER_VARIABLE, end_with_launcher
from tuili.train.recipe import TrainConfig

LOST_VARIABLE = "TUILI_LOST_PROCESSES"


@dataclass(frozen=True)
class Place:
    """Where torchrun, or what stands in for it, has put this process."""

    rank: int
    world_size: int
    local_size: int
    """The number of processes on this machine."""
    local_rank: int = 0
    """The number of this process among them."""

    @classmethod
    def find(cls) -> Place | None:
        """The place that the environment names, if it names one. Raises `InputError` if that cannot be a place."""
        if not {"RANK", "WORLD_SIZE"} <= os.environ.keys():
            return None
        rank, world_size = variable("RANK"), variable("WORLD_SIZE")
        if rank >= world_size:
            raise InputError(f"RANK = {rank}: of WORLD_SIZE = {world_size} processes the last one has {world_size - 1}")
        return cls(rank, world_size, variable("LOCAL_WORLD_SIZE", 1), variable("LOCAL_RANK", 0))

    @property
    def stands_in(self) -> bool:
        """Whether this process reports what process 0 does not: on each machine, the first other process does."""
        return self.rank > 0 and self.local_rank == int(self.rank == self.local_rank)


def where_first_is() -> tuple[str, int]:
    """The address and port at which processes meet. Raises `InputError` if the environment does not say."""
    address, port = (os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))
    if not (address and port.isdecimal()):
        raise InputError(
            f"environment: MASTER_ADDR = {address!r}, MASTER_PORT = {port!r}: should say where process 0 is"
        )
    return address, int(port)


def start_by_torchrun() -> str | None:
    """What all processes that torchrun starts for one command have in common, across restarts; None without torchrun.

    That is the name of the run, or without one the torchrun that runs here: its process number and start time.
    """
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if run != "none":  # what torchrun calls a run without a name
        return run
    parent = os.getppid()
    status = Path(f"/proc/{parent}/stat")
    began = status.read_text().rpartition(")")[2].split()[19] if status.is_file() else ""
    return f"{parent} {began}"


def end_with_starter() -> None:
    """End this process as soon as torchrun or the launcher is gone, if one of them has started it."""
    if not {"TORCHELASTIC_RUN_ID", LAUNCHER_VARIABLE}.isdisjoint(os.environ):
        end_with_launcher()


def restarts_so_far() -> int:
    """How often torchrun or the launcher has restarted the run because a process was lost."""
    return variable("TORCHELASTIC_RESTART_COUNT", 0)


def lost_so_far() -> list[int]:
    """The processes that were lost before the restarts, as far as they are known: torchrun does not name them."""
    return [int(rank) for rank in os.environ.get(LOST_VARIABLE, "").split()]


def variable(name: str, default: int | None = None) -> int:
    """A number in the environment. Raises `InputError` if it is not a number, or is missing and has no default."""
    value = os.environ.get(name, "" if default is None else str(default))
    if not value.isdecimal():
        raise InputError(f"environment: {name} = {value!r}: should be a number, as torchrun sets it")
    return int(value)


def check_place(train: TrainConfig) -> Place | None:
    """The place of this process in a run with these settings; None if its backend starts processes by itself.

    Raises `InputError` if there are no processes for the backend, other processes than it was to have, or too many.
    """
    place, backend = Place.find(), train.dist.backend
    if backend == "replicas":
        if place is not None and place.world_size > 1:
            check_replicas(train, place)
            if place.rank > 0 or train.replicas != place.world_size:
                raise InputError(
                    f"train.dist.backend = replicas: {place.world_size} processes were started, but train() has to "
                    f"run in process 0 alone, with train.replicas = {place.world_size}: use tuili train, or ddp"
                )
        return None
    if place is None:
        raise InputError(
            f"train.dist.backend = {backend}: no processes were started for it: add --nproc 2, or start it by torchrun"
        )
    check_count(train, place.world_size)
    return place


def check_replicas(train: TrainConfig, place: Place) -> None:
    """Raise `InputError` if torchrun has started processes that cannot become replicas."""
    if place.local_size < place.world_size:
        raise InputError(
            f"train.dist.backend = replicas: {place.world_size} processes were started on several machines, and "
            "replicas share the memory of one: use ddp, fsdp2 or zero3"
        )
    check_count(train, place.world_size)


def check_count(train: TrainConfig, count: int) -> None:
    """Raise `InputError` if these settings do not suit `count` processes, or need a package that is missing."""
    if train.dist.backend == "zero3" and find_spec("deepspeed") is None:
        raise InputError("train.dist.backend = zero3: DeepSpeed is not installed: pip install 'tuili[deepspeed]'")
    if train.dist.expert_parallel > 1:
        raise InputError(
            f"train.dist.expert_parallel = {train.dist.expert_parallel}: a plan, which tuili plan train shows, and by "
            "which nothing is trained yet: leave it out"
        )
    if train.replicas not in ("auto", count):
        started = "1 process was" if count == 1 else f"{count} processes were"
        raise InputError(f"train.replicas = {train.replicas}: {started} started: start as many, or set it to auto")
    if train.accumulation % count:
        raise InputError(
            f"train.accumulation = {train.accumulation}: {count} processes do not divide its blocks evenly: "
            f"use a multiple of {count}"
        )
    if count == 1 and train.dist.gradients.form != "fp32":
        raise InputError(
            f"train.dist.gradients.form = {train.dist.gradients.form}: 1 process was started, whose gradients travel "
            "nowhere: start more, or use fp32"
        )
    if train.dist.weights != "fp32" and count == train.dist.islands:
        raise InputError(
            f"train.dist.weights = {train.dist.weights}: each process has the whole model, and gathers nothing: "
            "start more, with fewer islands, or use fp32"
        )
    if count % train.dist.islands:
        islands = train.dist.islands
        raise InputError(f"train.dist.islands = {islands}: {count} processes cannot be {islands} islands of one size")
