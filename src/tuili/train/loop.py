"""The training loop: the trainer's steps, with logging, checkpoints and signal handling around them.

What a step does is left to `trainer`, what a run is built from to `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from tuili.errors import TuiliError
from tuili.train.checkpoint import Checkpoint, CheckpointManager, Pieces
from tuili.train.dist.group import Group, ReplicaDied
from tuili.train.log import TrainingLog
from tuili.train.recipe import Recipe, TrainConfig
from tuili.train.setup import TrainingSetup
from tuili.train.signals import interruptible
from tuili.train.timing import WARM_UP_STEPS
from tuili.train.tracing import traced
from tuili.train.trainer import StepResult, Trainer, TrainingState


def training_loop(
    setup: TrainingSetup,
    open_log: Callable[[TrainingState], TrainingLog],
    checkpoints: CheckpointManager,
    checkpoint: Checkpoint | None,
    group: Group,
    out: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[TrainingState, TrainingLog]:
    """Train from a checkpoint, or from the start, to the last step or until the first signal to end.

    Returns the state reached, which is also saved as a checkpoint, and the log. out: the folder of the run, for a trace
    if the recipe asks for one. `tell` is the trainer's. Raises `CheckpointError` when a checkpoint cannot be written,
    `ReplicaDied` when another replica is killed, and `TuiliError` when a replica fails, when the gradient is no longer
    finite, and when a replica is killed after a Ctrl-C. If a process of a torch backend is lost, torch's own error is
    raised, and `dist.launch` or torchrun handles what follows.
    """
    with (
        Trainer(setup, checkpoint, group, tell) as trainer,
        open_log(state := trainer.state) as log,
        interruptible() as interrupted,
        closing(trainer.steps(interrupted.is_set)) as steps,
        checkpoints,
    ):

        def log_step(result: StepResult) -> None:
            log.step(
                state.step, result.figures, tokens=result.tokens, flops=result.flops, memory=result.memory,
                workers=result.workers,
            )  # fmt: skip

        try:
            traces = traced_steps(steps, setup.recipe.train, group, out, trainer.state.step, tell)
            save_between(trainer, traces, setup.recipe, checkpoints, log_step, lambda: log.seconds)
        except ReplicaDied as error:
            if interrupted.is_set():  # nobody wants a restart then
                raise TuiliError(f"{error} while the run was being interrupted: add --resume to go on") from error
            raise
    return state, log


def worker_loop(
    group: Group,
    setup: TrainingSetup,
    checkpoints: CheckpointManager,
    checkpoint: Checkpoint | None,
    out: Path,
    stop: Callable[[], bool] = lambda: False,
) -> TrainingState:
    """What the other replicas run alongside `training_loop`: the same steps, and they save their parts of the state.

    Returns the state reached. stop: whether this process wants all to end.
    """
    with Trainer(setup, checkpoint, group) as trainer, closing(trainer.steps(stop)) as steps, checkpoints:
        traces = traced_steps(steps, setup.recipe.train, group, out, trainer.state.step)
        save_between(trainer, traces, setup.recipe, checkpoints)
    return trainer.state


def traced_steps(
    steps: Iterable[StepResult],
    train: TrainConfig,
    group: Group,
    out: Path,
    first: int,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[StepResult]:
    """The steps from `first` on, some of them traced. The last step does not tell how long the trace takes to write."""
    wanted, left = train.dist.trace or 0, max(0, train.steps - first - WARM_UP_STEPS)
    if first < train.steps and left < wanted:
        tell(f"train.dist.trace = {wanted}: {left} steps are left for it behind the first {WARM_UP_STEPS} of a session")
    return traced(steps, train.dist.trace, trace_file(out, group, first), group.pause)


def trace_file(out: Path, group: Group, step: int) -> Path:
    """The file for a process's trace of a session that starts from this step."""
    return out / (f"trace-{group.rank}-from-{step}.json" if step else f"trace-{group.rank}.json")


def save_between(
    trainer: Trainer,
    steps: Iterable[StepResult],
    recipe: Recipe,
    checkpoints: CheckpointManager,
    log_step: Callable[[StepResult], None] = lambda result: None,
    seconds: Callable[[], float] = lambda: 0.0,
) -> None:
    """Run the steps, and save the state after each interval and at the end. Returns once everything is saved.

    A write may take longer than `steps_beside` steps: then the steps wait for it.
    """
    state = trainer.state
    saved = state.step

    def save(pieces: Pieces, *, beside_steps: bool) -> None:
        nonlocal saved
        state.seconds, saved = seconds(), state.step
        checkpoints.save(state.step, pieces, asdict(state), beside_steps=beside_steps)

    for result in steps:
        is_due = state.step % recipe.checkpoint.interval == 0 or state.step == recipe.train.steps
        collected = trainer.collect() if is_due else None  # all processes meet, before process 0 writes the log
        log_step(result)
        checkpoints.after_step(state.step, recipe.checkpoint.steps_beside)
        if collected is not None:
            save(collected, beside_steps=state.step < recipe.train.steps)
    if saved < state.step:  # the run was interrupted
        save(trainer.collect(), beside_steps=False)
    checkpoints.close()
