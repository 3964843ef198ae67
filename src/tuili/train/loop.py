"""The training loop: from blocks to weights, one explicit step after the other, resumable bit for bit.

All randomness of a block follows from the seed and the block's number, so that no generator's state needs
saving. What is learnt is left to `objective`, which documents come to `tuili.data.stream`, what a run is
built from to `run`.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from threading import Event, current_thread, main_thread
from types import FrameType

import torch
from torch.nn.utils import clip_grad_norm_

from tuili.data.stream import BlockStream, StreamState, prefetch
from tuili.errors import TuiliError
from tuili.model import TuiliForCausalLM
from tuili.train.checkpoint import Checkpoint, Checkpoints
from tuili.train.log import Means, TrainingLog
from tuili.train.objective import Objective
from tuili.train.optim import Optimizers
from tuili.train.precision import Precision, autocast
from tuili.train.recipe import Recipe
from tuili.train.schedule import rate_scale


@dataclass
class Position:
    """Where a run stands: steps done, tokens read, seconds trained, and how its stream of blocks goes on."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    stream: StreamState = field(default_factory=StreamState)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Position:
        """The position at which a checkpoint was saved."""
        return cls(**checkpoint.state | {"stream": StreamState(**checkpoint.state["stream"])})


def fit(
    recipe: Recipe,
    model: TuiliForCausalLM,
    objective: Objective,
    precision: Precision,
    open_stream: Callable[[StreamState], BlockStream],
    open_log: Callable[[Position], TrainingLog],
    checkpoints: Checkpoints,
) -> tuple[Position, TrainingLog]:
    """Train from the newest checkpoint, or from the start, to the last step or the first Ctrl-C or SIGTERM.

    Returns the position reached, which is also saved as a checkpoint, and the log. Raises `CheckpointError`
    when one cannot be written, and `TuiliError` when the gradient is no longer finite.
    """
    train, device = recipe.train, model.device
    optimizers, position = Optimizers(recipe.optimizer, model), Position()
    if (found := checkpoints.latest()) is not None:
        model.load_state_dict(dict(found.tensors["model"]))
        optimizers.load(found.tensors["optimizer"])
        position = Position.of(found)
    saved = position.step
    generator = torch.Generator(device)
    model.train()

    def save() -> None:
        nonlocal saved
        position.seconds, saved = log.seconds, position.step
        checkpoints.save(
            position.step, {"model": model.state_dict(), "optimizer": optimizers.tensors()}, asdict(position)
        )

    with (
        open_log(position) as log,
        prefetch(open_stream(position.stream)) as blocks,
        interruptible() as interrupted,
        checkpoints,
    ):
        while position.step < train.steps and not interrupted.is_set():
            means, tokens, flops = Means(), 0, 0.0
            for number in range(position.step * train.accumulation, (position.step + 1) * train.accumulation):
                seed = (train.seed << 32) + number
                torch.manual_seed(seed)
                generator.manual_seed(seed)
                block, position.stream = next(blocks)
                with autocast(precision, device):
                    result = objective(block.to(device), position.step / train.steps, generator)
                (result.loss / train.accumulation).backward()
                metrics = {name: float(value) for name, value in result.metrics.items()}
                flops += metrics.pop("flops", 0.0)
                tokens += block.real_tokens
                means.add(metrics | {"loss": result.loss.item()})
            norm = clip_grad_norm_(model.parameters(), train.clip).item()
            if not math.isfinite(norm):
                raise TuiliError(
                    f"step {position.step + 1}: the gradient is not finite; lower optimizer.learning_rate "
                    f"(last checkpoint: step {saved})"
                )
            scale = rate_scale(recipe.schedule, position.step, train.steps)
            optimizers.step(scale)
            model.after_step()

            position.step += 1
            position.tokens += tokens
            rates = {"gradient_norm": norm, "learning_rate": recipe.optimizer.learning_rate * scale}
            log.step(position.step, means.take() | rates, tokens=tokens, flops=flops)
            checkpoints.check()
            if position.step % recipe.checkpoint.interval == 0:
                save()
        if saved < position.step:
            save()
    return position, log


@contextmanager
def interruptible() -> Iterator[Event]:
    """The first Ctrl-C or SIGTERM sets the event instead of ending the process; the second one ends it."""
    interrupted = Event()
    if current_thread() is not main_thread():  # only the main thread may handle signals
        yield interrupted
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
