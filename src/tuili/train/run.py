"""A training run from recipe to model folder: its sessions, its restarts, and the order of its parts.

`build` builds the parts, `loop` trains them, and `artifacts` writes the results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from tuili.data import StreamState
from tuili.errors import InputError, TuiliError
from tuili.files import writing
from tuili.provenance import code_hash
from tuili.store import Tokenizer
from tuili.train.artifacts import prepare_tokenizer, write_model
from tuili.train.balance import balance_domains
from tuili.train.build import build_training, with_weights
from tuili.train.checkpoint import CheckpointManager, latest_checkpoint, read_checkpoint
from tuili.train.dist.group import MAX_RESTARTS, Group, ReplicaDied
from tuili.train.dist.processes.joining import agree, joined
from tuili.train.dist.processes.place import check_place, end_with_starter, lost_so_far, restarts_so_far
from tuili.train.dist.replicas import launch_replicas
from tuili.train.execution import FULL_GPU_REMEDY, ExecutionPlan, divided_cores, noticing_full_gpu
from tuili.train.feed.stream import build_curriculum, build_sources
from tuili.train.folder import REWRITE_REMEDY
from tuili.train.log import LOG_FILE, TrainingLog
from tuili.train.loop import training_loop
from tuili.train.recipe import Recipe
from tuili.train.textfile import refuse_missing_folder
from tuili.train.trainer import TrainingState
from tuili.train.training_folder import TrainingFolder
from tuili.train.worker import Others, common_facts, processes_here, run_worker, work_beside_first


@dataclass(frozen=True)
class TrainingResult:
    """How far a run came. `figures` is the last line of its log. If several processes were started for the run, only
    process 0 knows figures and seconds."""

    step: int
    tokens: int
    seconds: float
    figures: Mapping[str, Any]
    model: Path | None
    """The model folder; None when the run was interrupted before its last step."""
    plan: ExecutionPlan
    """How its steps are executed, in later sessions too."""
    spent: Mapping[str, float]
    """The seconds spent in each part of the steps."""
    earlier: float = 0.0
    """The seconds of training before this call."""


def train(
    recipe: Recipe, out: Path, *, resume: bool = False, console: Console | None = None, restarts: int | None = None
) -> TrainingResult:
    """Train with a recipe in the folder `out`; with `resume`, resume from its newest checkpoint, if it has one.

    When a replica is killed, the run restarts from the newest checkpoint, or from the start, at most `restarts` times,
    by default `MAX_RESTARTS`. With torch's backends, all processes that were started for a run call this; if one of
    them is lost, it raises `ReplicaDied` in the others.

    Raises `InputError` if `out` already holds a run and `resume` is not set, if that run began with another recipe or
    other files or on another kind of device, if another process is training it, if a GPU has too little memory, and if
    the processes are not those that the backend needs. Raises `TuiliError` if something cannot be written, if a replica
    is killed after that many restarts, and if Tuili's code has changed before a restart; see `loop.training_loop` for
    what else may happen during training.
    """
    console = console or Console(stderr=True)
    most = MAX_RESTARTS if restarts is None else restarts
    code, earlier, lost = code_hash(), list[float](), list[int | None]()

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def open_log(state: TrainingState) -> TrainingLog:
        earlier.append(state.seconds)
        with writing(out / LOG_FILE, REWRITE_REMEDY):
            return TrainingLog(
                recipe.log, out, console, first=state.step, steps=recipe.train.steps, seconds=state.seconds,
                restarts=restarts_so_far() + len(lost), lost=lost_so_far() + [one for one in lost if one is not None],
            )  # fmt: skip

    if check_place(recipe.train) is not None:
        if restarts is not None:
            raise InputError("restarts is of replicas: whoever has started the processes starts them again")
        begun_on = TrainingFolder(out, recipe).begun_on()
        with joined(recipe.train, begun_on) as group:
            agree(group, common_facts(recipe, group.place, begun_on))
            if group.rank > 0:
                state, plan = work_beside_first(group, recipe, out)
                model = TrainingFolder(out, recipe).model if state.step == recipe.train.steps else None
                return TrainingResult(state.step, state.tokens, 0.0, {}, model, plan, {})
            with Others(group) as others:
                return replace(train_once(recipe, out, resume, open_log, tell, others), earlier=earlier[0])
    end_with_starter()
    while True:
        try:
            return replace(train_once(recipe, out, resume, open_log, tell), earlier=earlier[0])
        except ReplicaDied as error:
            if len(lost) == most:
                raise TuiliError(f"{error}, after {most} restarts: add --resume to go on all the same") from error
            if code_hash() != code:
                raise TuiliError(f"{error}, and Tuili's code has changed: add --resume to go on with it") from error
            tell(f"{error}: going on from the newest checkpoint, or from the start")
            lost.append(error.lost)
            resume = True


@noticing_full_gpu(FULL_GPU_REMEDY)
def train_once(
    recipe: Recipe,
    out: Path,
    resume: bool,
    open_log: Callable[[TrainingState], TrainingLog],
    tell: Callable[[str], None],
    others: Others | None = None,
) -> TrainingResult:
    """What `train` does until a replica dies, which raises `ReplicaDied`. others: the processes that torchrun started,
    if they are not started here."""
    processes = others.group if others else None
    curriculum, sources = build_curriculum(recipe.stream), build_sources(recipe.data, recipe.train.seed)
    folder = TrainingFolder(out, recipe)
    parent = folder.parent  # raises before the folder is made
    if recipe.log.textfile:
        refuse_missing_folder(Path(recipe.log.textfile))
    with folder.locked():
        recorded = folder.recorded_settings(resume)
        is_new = recorded is None
        fixed = {} if recorded is None else recorded
        if processes:
            fixed["replicas"] = processes.world_size
        elif recipe.train.replicas != "auto":
            fixed["replicas"] = recipe.train.replicas
        plan = ExecutionPlan.resolve(recipe.train.model_copy(update=fixed), None if is_new else out, tell)
        if is_new:
            tokenizer = prepare_tokenizer(folder, parent, recipe, sources, tell)
        else:
            tokenizer = Tokenizer.load(folder.tokenizer)
        with divided_cores(processes_here(processes.place.local_size if processes else plan.replicas)):
            if changes := folder.changes(plan):
                tell(f"changed since the run began: {', '.join(changes)}; the weights may differ")
            setup = build_training(recipe, plan, curriculum, sources, tokenizer, folder.tokenizer, tell)
            if is_new:
                folder.begin(plan)
                tell(f"precision {plan.precision}")
            tell(_workforce("processes" if processes else "replicas", plan.replicas, torch.get_num_threads()))
            identity = folder.identity()
            checkpoint = latest_checkpoint(folder.checkpoints, tell, identity, setup.model.state_dict())
            if not is_new:
                tell(f"going on from step {checkpoint.step}" if checkpoint else "no checkpoint yet: from the start")
            step = checkpoint.step if checkpoint else None
            opened: AbstractContextManager[Group]
            if others and processes:
                others.begin(folder, plan, step)
                opened = nullcontext(processes.for_steps())
            else:
                shared, timeout = list(setup.model.parameters()), recipe.train.dist.timeout
                arguments = (recipe, plan, out, step)
                opened = launch_replicas(plan.replicas, shared, run_worker, *arguments, timeout=timeout)
            with opened as group:
                checkpoints = CheckpointManager(folder.checkpoints, recipe.checkpoint.keep, tell, group, identity, step)
                state, log = training_loop(setup, open_log, checkpoints, checkpoint, group, out, tell)

        tell(f"checkpoints held the training up for {checkpoints.stall:.2f} s of {state.seconds:.0f} s")
        _tell_refused_documents(state.stream, tell)
        is_finished = state.step == recipe.train.steps
        if is_finished:
            if recipe.train.dist.backend in ("fsdp2", "zero3"):  # this process holds only a share of the model
                setup = with_weights(setup, read_checkpoint(folder.checkpoints, state.step, "model").tensors["model"])
            if recipe.train.balance_rounds:
                balance_domains(setup, sources, tokenizer, recipe.train.balance_rounds, tell)
            write_model(folder, parent, recipe, setup.model, tokenizer, state, log.last)
        if processes:
            processes.all_gather(None)  # now the others may end too
    model = folder.model if is_finished else None
    return TrainingResult(state.step, state.tokens, state.seconds, log.last, model, plan, state.spent)


def _workforce(kind: str, count: int, threads: int) -> str:
    each = "one thread" if threads == 1 else f"{threads} threads"
    return f"{count} {kind} share the blocks of a step, with {each} each" if count > 1 else f"uses {each}"


def _tell_refused_documents(stream: StreamState, tell: Callable[[str], None]) -> None:
    for name, refused in stream.refused.items():
        if refused:
            tell(f"{name}: left out {refused} of {stream.drawn[name]} documents, longer than a row")
