"""The training loop: from blocks to weights, one explicit step after the other, resumable bit for bit.

All randomness of a block follows from the seed and the block's number, so that no generator's state needs
saving. What is learnt is left to `objective`, which documents come to `tuili.data.stream`, what a run is
built from to `run`, how processes that share the steps meet to `replicas`.
"""

from __future__ import annotations

import math
import random
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain
from threading import Event, current_thread, main_thread
from types import FrameType

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from tuili.data import Block, BlockStream, StreamState, prefetch
from tuili.errors import TuiliError
from tuili.model import TuiliForCausalLM
from tuili.train.checkpoint import Checkpoint, Checkpoints, Tensors
from tuili.train.log import Means, TrainingLog
from tuili.train.objective import Objective
from tuili.train.optim import Optimizers
from tuili.train.precision import Precision, autocast
from tuili.train.recipe import Recipe
from tuili.train.replicas import Replica, ReplicaDied
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


@dataclass(frozen=True)
class Training:
    """What every replica of a run builds alike."""

    recipe: Recipe
    model: TuiliForCausalLM
    objective: Objective
    precision: Precision
    open_stream: Callable[[StreamState], BlockStream]

    def added_up(self) -> list[Tensor]:
        """Tensors in the shapes of those that the replicas add up in a step, or more."""
        return [*self.model.parameters(), *_loads(self.model)]


@dataclass(frozen=True)
class Step:
    """The work of one step in all replicas, and its figures for the log."""

    figures: Mapping[str, float]
    tokens: int
    flops: float


def fit(
    training: Training,
    open_log: Callable[[Position], TrainingLog],
    checkpoints: Checkpoints,
    found: Checkpoint | None = None,
    replica: Replica | None = None,
) -> tuple[Position, TrainingLog]:
    """Train from a checkpoint, or from the start, to the last step or the first Ctrl-C or SIGTERM.

    Returns the position reached, which is also saved as a checkpoint, and the log. Raises `CheckpointError`
    when one cannot be written, `ReplicaDied` when another replica is killed, and `TuiliError` when it fails, when the
    gradient is no longer finite, and when a replica is killed after a Ctrl-C.
    """
    replica, learner = replica or Replica(), Learner(training, found)
    position = learner.position
    replica.exchange(None)  # the time that the others take to get ready is no training time

    def save() -> None:
        position.seconds, learner.saved = log.seconds, position.step
        checkpoints.save(position.step, learner.tensors(), asdict(position))

    with (
        open_log(position) as log,
        interruptible() as interrupted,
        closing(learner.steps(replica, interrupted.is_set)) as steps,
        checkpoints,
    ):
        try:
            for step in steps:
                log.step(position.step, step.figures, tokens=step.tokens, flops=step.flops)
                checkpoints.check()
                if position.step % training.recipe.checkpoint.interval == 0:
                    save()
        except ReplicaDied as error:
            if interrupted.is_set():  # nobody wants it to begin again
                raise TuiliError(f"{error} while the run was being interrupted: add --resume to go on") from error
            raise
        if learner.saved < position.step:
            save()
    return position, log


def follow(replica: Replica, training: Training, found: Checkpoint | None) -> None:
    """What the other replicas do while the first one runs `fit`: the same steps, without log and checkpoints."""
    learner = Learner(training, found)
    replica.exchange(None)
    for _ in learner.steps(replica, lambda: False):
        pass


class Learner:
    """A model, its optimizers and its position: the same in all replicas after each step."""

    def __init__(self, training: Training, found: Checkpoint | None) -> None:
        self._training, self._model = training, training.model
        self._optimizers, self.position = Optimizers(training.recipe.optimizer, training.model), Position()
        if found is not None:
            self._model.load_state_dict(dict(found.tensors["model"]))
            self._optimizers.load(found.tensors["optimizer"])
            self.position = Position.of(found)
        self.saved = self.position.step
        """The step of the newest checkpoint."""
        self._generator = torch.Generator(self._model.device)

    def tensors(self) -> Tensors:
        """What a checkpoint holds."""
        return {"model": self._model.state_dict(), "optimizer": self._optimizers.tensors()}

    def steps(self, replica: Replica, stop: Callable[[], bool]) -> Generator[Step, None, None]:
        """Train step by step to the last one, or until `stop` is true in any replica before a step."""
        recipe, model, position = self._training.recipe, self._model, self.position
        train = recipe.train
        model.train()
        with prefetch(self._training.open_stream(position.stream)) as blocks:
            while position.step < train.steps and not any(replica.exchange(stop())):
                own = []
                for number in range(position.step * train.accumulation, (position.step + 1) * train.accumulation):
                    block, position.stream = next(blocks)
                    if replica.owns(number):
                        own.append(self._learn(block, number))
                if replica.count > 1:
                    replica.add_up([*_gradients(model, replica), *_loads(model)])
                norm = clip_grad_norm_(model.parameters(), train.clip).item()
                if not math.isfinite(norm):
                    raise TuiliError(
                        f"step {position.step + 1}: the gradient is not finite; lower optimizer.learning_rate "
                        f"(last checkpoint: step {self.saved})"
                    )
                scale = rate_scale(recipe.schedule, position.step, train.steps)
                self._optimizers.step(scale)
                model.after_step(scale)
                rates = {"gradient_norm": norm, "learning_rate": recipe.optimizer.learning_rate * scale}
                step = _sum_of(replica.exchange(own), rates)
                position.step += 1
                position.tokens += step.tokens
                if replica.count > 1 and position.step % recipe.checkpoint.interval == 0:
                    assert len(set(replica.exchange(_fingerprint(model)))) == 1, "the replicas' weights differ"
                yield step

    def _learn(self, block: Block, number: int) -> dict[str, float]:
        """Add a block's share to the gradients; returns its figures, `tokens` and `flops` among them.

        A step takes the mean of its blocks' losses, not of their tokens' losses: every block weighs the same.
        """
        train, device = self._training.recipe.train, self._model.device
        torch.manual_seed(_mixed("model", train.seed, number))
        self._generator.manual_seed(_mixed("exits", train.seed, number))
        with autocast(self._training.precision, device):
            result = self._training.objective(block.to(device), self.position.step / train.steps, self._generator)
        (result.loss / train.accumulation).backward()
        figures = {name: float(value) for name, value in result.metrics.items()}
        return {"flops": 0.0} | figures | {"loss": result.loss.item(), "tokens": block.real_tokens}


def _mixed(use: str, seed: int, number: int) -> int:
    """A generator's seed for one use in one block. torch's generator on a CPU reads no more than these 32 bits."""
    return random.Random(f"{use}/{seed}/{number}").getrandbits(32)


def _sum_of(learnt: Sequence[Sequence[dict[str, float]]], rates: dict[str, float]) -> Step:
    """The step that consists of these figures of blocks, which each replica gives in the order of its own."""
    means, tokens, flops = Means(), 0, 0.0
    for figures in chain.from_iterable(zip(*learnt, strict=True)):  # by number: the blocks go round the replicas
        tokens += int(figures.pop("tokens"))
        flops += figures.pop("flops")
        means.add(figures)
    return Step(means.take() | rates, tokens, flops)


def _gradients(model: TuiliForCausalLM, replica: Replica) -> Iterator[Tensor]:
    """The gradient of every parameter that a block of the step has used; zeros, if only other replicas have."""
    parameters = list(model.parameters())
    used = replica.exchange([parameter.grad is not None for parameter in parameters])
    for parameter, anywhere in zip(parameters, map(any, zip(*used, strict=True)), strict=True):
        if anywhere:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            yield parameter.grad


def _loads(model: TuiliForCausalLM) -> list[Tensor]:
    """The tokens that the routers have given to each expert, from which `after_step` balances them."""
    return [router.load for router in model.routers()]


def _fingerprint(model: TuiliForCausalLM) -> int:
    """A number that is the same for the same bits of the weights."""
    return sum(int(parameter.detach().view(torch.int32).sum()) for parameter in model.parameters())


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
