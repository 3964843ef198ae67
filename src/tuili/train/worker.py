"""What the other processes of a run do, while process 0 does what `run` says: they build the same parts and train.

Replicas are started by process 0, those of torch's backends by torchrun or `dist.launch`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from tuili.errors import TuiliError
from tuili.machine import THREADS_VARIABLE
from tuili.provenance import code_hash, current_versions
from tuili.store import Tokenizer
from tuili.train.build import build_training
from tuili.train.checkpoint import read_checkpoint
from tuili.train.dist.group import Group, ReplicaDied
from tuili.train.dist.processes import TorchGroup
from tuili.train.execution import ExecutionPlan, divided_cores
from tuili.train.feed.stream import build_curriculum, build_sources
from tuili.train.folder import TrainingFolder
from tuili.train.loop import interruptible, worker_loop
from tuili.train.recipe import Recipe
from tuili.train.trainer import TrainingState


def run_worker(
    group: Group,
    recipe: Recipe,
    plan: ExecutionPlan,
    out: Path,
    step: int | None,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingState:
    """The part of a further replica in the run of the folder `out`, from the checkpoint of a step or from the start.

    Returns the state reached. stop: whether this process wants all to end.
    """
    folder = TrainingFolder(out, recipe)
    curriculum, sources = build_curriculum(recipe.stream), build_sources(recipe.data, recipe.train.seed)
    setup = build_training(recipe, plan, curriculum, sources, Tokenizer.load(folder.tokenizer), folder.tokenizer)
    if isinstance(group, TorchGroup):
        group = group.for_steps(recipe.train.dist.timeout)
    return worker_loop(group, setup, None if step is None else read_checkpoint(folder.checkpoints, step), stop)


def work_beside_first(processes: TorchGroup, recipe: Recipe, out: Path) -> tuple[TrainingState, ExecutionPlan]:
    """The part of a process that torchrun has started beside process 0, from whose word on it works.

    Returns the state reached, and how the steps were executed. Ctrl-C and SIGTERM let all processes end.
    """
    try:
        first, *_ = processes.all_gather(None)
        plan = ExecutionPlan.resolve(recipe.train.model_copy(update=first["plan"]))
        with divided_cores(processes_here(processes)), interruptible() as interrupted:
            state = run_worker(processes, recipe, plan, out, first["step"], interrupted.is_set)
            processes.all_gather(None)
    except ReplicaDied:
        raise
    except TuiliError as error:
        raise type(error)(f"process {processes.rank}: {error}") from error
    return state, plan


def common_facts(recipe: Recipe) -> dict[str, str]:
    """What all processes of a run must have been started with."""
    recipe_hash = hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()
    return {"a recipe": recipe_hash, "code": code_hash(), "versions": json.dumps(current_versions())}


def processes_here(processes: TorchGroup) -> int:
    """Among how many processes the cores that this one sees are divided; who sets the threads of each has done it."""
    return 1 if THREADS_VARIABLE in os.environ else processes.place.local_size
