"""Steps over a stream of blocks, in a run folder: shared by several trainings after the first one.

A session has the log, the checkpoints and the signals; a `LearningNetwork` defines what learns.
Stages may follow each other, each with its own network: their steps are numbered consecutively.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveFloat
from rich.console import Console
from torch import nn
from torch.optim import Optimizer

from tuili.config import Config
from tuili.data import StreamState
from tuili.errors import TuiliError
from tuili.files import writing
from tuili.posttrain.learning_network import LearningNetwork
from tuili.posttrain.optimizer_state import (
    build_optimizers,
    optimizer_tensors,
    refuse_other_shapes,
    restore_optimizers,
)
from tuili.train import (
    REWRITE_REMEDY,
    Checkpoint,
    CheckpointConfig,
    CheckpointManager,
    LogConfig,
    PreparedBlocks,
    ScheduleConfig,
    TrainingLog,
    interruptible,
    peak_memory,
    rate_scale,
)

CHECKPOINTS = "checkpoints"


LearningRate = Annotated[float, Field(gt=0, le=1)]


class LearningConfig(Config):
    """How fast something learns, and when it is saved and logged."""

    learning_rate: LearningRate = 1e-3
    weight_decay: NonNegativeFloat = 0.0
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""
    schedule: ScheduleConfig = ScheduleConfig(warmup=50, floor=0.02)
    checkpoint: CheckpointConfig = CheckpointConfig(interval=50)
    log: LogConfig = LogConfig()


@dataclass(frozen=True)
class LearningState:
    """How far a run is. stream: the fields of the `StreamState` after the last block."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stream: Mapping[str, Any] = field(default_factory=dict)


OpenBlocks = Callable[[StreamState], AbstractContextManager[PreparedBlocks]]
"""Begins to prepare the blocks of a run, starting from a state of their stream."""


class LearningSession:
    """A context manager for one session of a run with this many steps; it continues from the newest checkpoint.

    After the first signal to end, `learn` stops after the current step, which is saved.
    """

    def __init__(
        self, config: LearningConfig, steps: int, out: Path, console: Console, tell: Callable[[str], None]
    ) -> None:
        self._config, self._steps, self._out, self._console = config, steps, out, console
        self._manager = CheckpointManager(out / CHECKPOINTS, config.checkpoint.keep, tell)
        self._checkpoint: Checkpoint | None = self._manager.latest()
        self.state = LearningState() if self._checkpoint is None else LearningState(**self._checkpoint.state)
        if self._checkpoint is not None:
            tell(f"going on from step {self.state.step}")

    def __enter__(self) -> LearningSession:
        with ExitStack() as stack:
            with writing(self._out, REWRITE_REMEDY):
                log = TrainingLog(
                    self._config.log, self._out, self._console,
                    first=self.state.step, steps=self._steps, seconds=self.state.seconds, tokens=self.state.tokens,
                )  # fmt: skip
            self._log = stack.enter_context(log)
            self._interrupted: Event = stack.enter_context(interruptible())
            stack.enter_context(self._manager)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @property
    def interrupted(self) -> bool:
        """Whether the user has pressed Ctrl-C."""
        return self._interrupted.is_set()

    @property
    def seconds(self) -> float:
        """Training time of the whole run, without the time between its sessions."""
        return self._log.seconds

    @property
    def last(self) -> Mapping[str, Any]:
        """The newest line of the log."""
        return self._log.last

    def learn(
        self,
        network: LearningNetwork,
        open_blocks: OpenBlocks,
        first: int,
        until: int,
        measure: Callable[[int], Mapping[str, float]] = lambda step: {},
        hidden: Collection[str] = (),
    ) -> bool:
        """Learn the steps of a stage from `first` to `until` that are not yet done. False if interrupted.

        Stages that are finished must not be learnt again: a checkpoint belongs to the stage that contains its step.
        Blocks that end early were interrupted.
        measure: figures for the log after a step. hidden: the parameters that Muon updates; AdamW updates the others.

        Raises `TuiliError` if loss or gradient are no longer finite, and
        `CheckpointError` if a checkpoint cannot be written.
        """
        config, parameters = self._config, network.parameters
        optimizers = build_optimizers(parameters, config.learning_rate, config.weight_decay, hidden)
        if self._checkpoint is not None:
            refuse_other_shapes(parameters, self._checkpoint.tensors["parameters"], self._out / CHECKPOINTS)
            restore_optimizers(parameters, optimizers, replace(self._checkpoint, step=self.state.step - first))
            network.load(self._checkpoint.tensors["parameters"])
            self._checkpoint = None
        if self.state.step >= until:
            return True
        with open_blocks(StreamState(**self.state.stream)) as blocks:
            for step in range(self.state.step, until):
                if (prepared := next(blocks, None)) is None:  # the preparation was interrupted
                    if any(optimizer.state for optimizer in optimizers):
                        self._save(parameters, optimizers, network, beside_steps=False)
                    return False
                block, position = prepared
                scale = self._scale(step, first, until)
                figures = network.learn(block, step)
                norm = nn.utils.clip_grad_norm_(parameters.values(), config.clip).item()
                if not math.isfinite(figures["loss"] + norm):
                    raise TuiliError(
                        f"step {step + 1}: the loss is {figures['loss']:.4g}, the norm of its gradient {norm:.4g}: "
                        "choose a lower learning_rate"
                    )
                for optimizer in optimizers:
                    for group in optimizer.param_groups:
                        group["lr"] = config.learning_rate * scale
                    optimizer.step()
                    optimizer.zero_grad()
                network.follow(scale)
                figures |= measure(step + 1)
                memory = peak_memory(next(iter(parameters.values())).device)
                self._log.step(step + 1, figures, tokens=block.real_tokens, flops=0.0, memory=memory)
                tokens = self.state.tokens + block.real_tokens
                self.state = LearningState(step + 1, tokens, self._log.seconds, asdict(position))
                self._manager.after_step(self.state.step, config.checkpoint.steps_beside)
                if (stops := self.interrupted) or (step + 1) % config.checkpoint.interval == 0 or step + 1 == until:
                    self._save(parameters, optimizers, network, beside_steps=not stops and step + 1 < until)
                if stops and step + 1 < until:
                    return False
        if until == self._steps:
            self._manager.close()  # the result of the run is made from what is saved
        return not self.interrupted or until == self._steps

    def _save(
        self,
        parameters: Mapping[str, nn.Parameter],
        optimizers: Sequence[Optimizer],
        network: LearningNetwork,
        *,
        beside_steps: bool,
    ) -> None:
        tensors = optimizer_tensors(parameters, optimizers) | {"parameters": network.tensors()}
        self._manager.save(self.state.step, tensors, asdict(self.state), beside_steps=beside_steps)

    def _scale(self, step: int, first: int, until: int) -> float:
        """The rate falls over the whole run; each later stage warms up again, because its optimizer is new."""
        scale = rate_scale(self._config.schedule, step, self._steps)
        warmup = min(self._config.schedule.warmup, (until - first) // 10) if first else 0
        return scale * min(1.0, (step - first + 1) / (warmup + 1))
