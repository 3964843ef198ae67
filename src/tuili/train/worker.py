"""What the other processes of a run do while process 0 does what `run` describes: they build the same parts and train.

Process 0 starts replicas; torchrun or `dist.launch` starts the processes of torch's backends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tuili.errors import TuiliError
from tuili.machine import THREADS_VARIABLE
from tuili.provenance import code_hash, current_versions, installed_versions
from tuili.store import Tokenizer
from tuili.train.build import build_training
from tuili.train.checkpoint import CheckpointManager, read_checkpoint
from tuili.train.dist.group import SHARING_SECONDS, Group, ReplicaDied, as_word, from_word
from tuili.train.dist.processes.place import Place
from tuili.train.dist.torch_group import TorchGroup
from tuili.train.execution import FULL_GPU_REMEDY, ExecutionPlan, divided_cores, noticing_full_gpu
from tuili.train.feed.stream import build_curriculum, build_sources
from tuili.train.folder import flattened
from tuili.train.loop import worker_loop
from tuili.train.recipe import Recipe
from tuili.train.signals import interruptible
from tuili.train.trainer import TrainingState
from tuili.train.training_folder import TrainingFolder


@noticing_full_gpu(FULL_GPU_REMEDY)
def run_worker(
    group: Group,
    recipe: Recipe,
    plan: ExecutionPlan,
    out: Path,
    step: int | None,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingState:
    """Train as a further replica in the run of the folder `out`, from the checkpoint of a step or from the start.

    Returns the state reached. stop: whether this process wants all to end.
    """
    folder = TrainingFolder(out, recipe)
    with _told_to_all(group):
        curriculum, sources = build_curriculum(recipe.stream), build_sources(recipe.data, recipe.train.seed)
        setup = build_training(recipe, plan, curriculum, sources, Tokenizer.load(folder.tokenizer), folder.tokenizer)
        checkpoint = None if step is None else read_checkpoint(folder.checkpoints, step)
    if isinstance(group, TorchGroup):
        group = group.for_steps()
    checkpoints = CheckpointManager(folder.checkpoints, recipe.checkpoint.keep, lambda line: None, group, last=step)
    return worker_loop(group, setup, checkpoints, checkpoint, out, stop)


@contextmanager
def _told_to_all(group: Group) -> Iterator[None]:
    """If an error keeps this process from starting, end the others too. Replicas learn of it when it is raised."""
    try:
        with noticing_full_gpu(FULL_GPU_REMEDY):
            yield
    except TuiliError as error:
        if isinstance(group, TorchGroup):
            group.get_ready(error)
        raise


def work_beside_first(processes: TorchGroup, recipe: Recipe, out: Path) -> tuple[TrainingState, ExecutionPlan]:
    """Train in a process that torchrun has started alongside process 0, as process 0's message says.

    Returns the state reached, and how the steps were executed. A signal to end makes all processes end.
    """
    first, *_ = processes.all_gather(None)
    if "fault" in first:
        raise from_word(first, f"process {processes.rank}: process 0 has failed")
    try:
        with _told_to_all(processes):
            folder = TrainingFolder(out, recipe)
            is_named_alike = str(folder.path.resolve()) == first["path"]
            folder.refuse_other_session(first["session"], SHARING_SECONDS if is_named_alike else 0)
            plan = ExecutionPlan.resolve(recipe.train.model_copy(update=first["plan"]))
        with divided_cores(processes_here(processes.place.local_size)), interruptible() as interrupted:
            state = run_worker(processes, recipe, plan, out, first["step"], interrupted.is_set)
            processes.all_gather(None)
    except ReplicaDied:
        raise
    except TuiliError as error:
        raise from_word(as_word(error), f"process {processes.rank}") from error
    return state, plan


class Others:
    """The processes other than process 0. They wait for its message: how to train, or why it cannot prepare the run."""

    def __init__(self, processes: TorchGroup) -> None:
        self.group, self._wait = processes, True

    def __enter__(self) -> Others:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if self._wait and isinstance(error, TuiliError):
            self._say(as_word(error))

    def begin(self, folder: TrainingFolder, plan: ExecutionPlan, step: int | None) -> None:
        """Let them train in the same folder, by an execution plan, from the checkpoint of a step or from the start."""
        place = {"session": folder.name_session(), "path": str(folder.path.resolve())}
        self._say({**place, "plan": plan.settings(), "step": step})

    def _say(self, word: Mapping[str, Any]) -> None:
        self._wait = False
        self.group.all_gather(dict(word))


def common_facts(recipe: Recipe, place: Place, begun_on: str | None = None) -> dict[str, str]:
    """What all processes of a run must have been started with, by name. If each makes the same update by itself, this
    includes what decides how its sums are rounded. begun_on: the device that the run began with, if it has begun."""
    facts = {name: json.dumps(value) for name, value in flattened(recipe.model_dump(mode="json"))}
    facts |= {"Tuili's code": code_hash()}
    facts |= {f"version of {of}": version for of, version in current_versions().items()}
    facts |= {f"version of {of}": version for of, version in installed_versions(("deepspeed",)).items()}
    if recipe.train.dist.backend == "ddp" or recipe.train.dist.islands > 1:
        if (begun_on or recipe.train.device) != "cpu" and torch.cuda.is_available():
            gpu = torch.cuda.get_device_properties()
            return facts | {"GPU": f"{gpu.major}.{gpu.minor} with {gpu.multi_processor_count} multiprocessors"}
        facts["vectors"] = torch.backends.cpu.get_cpu_capability()
        with divided_cores(processes_here(place.local_size)):
            facts["threads"] = str(torch.get_num_threads())
    return facts


def processes_here(count: int) -> int:
    """How many of `count` processes on this machine share the cores that this one sees: 1 if torchrun, or what stands
    in for it, has started several and `OMP_NUM_THREADS` is set, because that applies to each of them."""
    place = Place.find()
    return 1 if THREADS_VARIABLE in os.environ and place is not None and place.world_size > 1 else count
