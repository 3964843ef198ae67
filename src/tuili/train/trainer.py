"""The trainer: from blocks to weights, step by step, resumable bit for bit.

All randomness of a block follows from the seed and the block's number, so no generator state needs saving. `objective`
defines what is minimised, `feed` which documents come and which process learns from them, and `dist` how processes that
share the steps work together. `loop` adds log and checkpoints.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import astuple, dataclass, field
from itertools import chain

import torch

from tuili.data import Block, StreamState
from tuili.errors import TuiliError
from tuili.model import TuiliForCausalLM
from tuili.train.checkpoint import Checkpoint, Pieces
from tuili.train.dist.backend import DIVERGED_REMEDY
from tuili.train.dist.choice import open_backend
from tuili.train.dist.group import Group, told_once
from tuili.train.feed.blocks import PreparedBlocks, deal_blocks
from tuili.train.log import RunningMeans
from tuili.train.schedule import rate_scale
from tuili.train.setup import TrainingSetup
from tuili.train.timing import peak_memory, spending
from tuili.train.workers import Meter, Work


@dataclass
class TrainingState:
    """How far a run is: steps done, tokens read, seconds trained, the seconds spent in each part of a step, the state
    of its stream of blocks, and how many steps were shared with each backend and form of gradients.

    Only process 0 of a group, which saves the state, knows more than the first two.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    stream: StreamState = field(default_factory=StreamState)
    shared: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TrainingState:
        """The state that a checkpoint holds."""
        return cls(**checkpoint.state | {"stream": StreamState(**checkpoint.state["stream"])})


@dataclass(frozen=True)
class StepResult:
    """What one step of all replicas did: figures for the log, tokens read, and operations of linear layers.

    memory: the peak device memory of all replicas together so far, in bytes. workers: what each replica has done.
    """

    figures: Mapping[str, float]
    tokens: int
    flops: float
    memory: int
    workers: Sequence[Work]


_DIFFER = "nothing of this step is saved; go on by --resume from the step that was saved before"


class Trainer:
    """A model, its optimizers and the state of its run: identical in all replicas of a group after each step.

    Resumes from a checkpoint, if there is one. Waits until all replicas are ready. Background work ends with the `with`
    block. `tell` receives a line about how the replicas share the training, unless they do so in the memory of one
    machine.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        checkpoint: Checkpoint | None,
        group: Group,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._setup, self._model, self._group = setup, setup.model, group
        with group.watched():
            self._backend = open_backend(setup, group, None if checkpoint is None else checkpoint.tensors, tell)
        self.state = TrainingState() if checkpoint is None else TrainingState.of(checkpoint)
        self._generator = torch.Generator(self._model.device)
        self._meter = Meter() if group.world_size > 1 else Meter(sent=dict)

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._backend.close()
        finally:
            self._backend.stop()

    def collect(self) -> Pieces:
        """This process's part of a checkpoint, which later steps may change. All replicas call it after the same step.

        Raises `TuiliError` if their weights differ, and whatever the calls of the group raise.
        """
        if not self._backend.agrees():
            raise told_once(self._group, TuiliError(f"step {self.state.step}: the replicas' weights differ: {_DIFFER}"))
        return self._backend.collect()

    def steps(self, stop: Callable[[], bool]) -> Generator[StepResult, None, None]:
        """Train step by step to the last one, or until `stop` returns true in any replica before a step.

        Raises `TuiliError` if the gradient is not finite, and whatever the calls of the group raise.
        """
        recipe, model, state, group = self._setup.recipe, self._model, self.state, self._group
        train, way, seconds = recipe.train, self._way(), None
        model.train()
        model.quantize(recipe.qat.at(state.step))
        with self._setup.open_blocks(state.stream) if group.rank == 0 else nullcontext(iter(())) as prepared:
            while state.step < train.steps and not group.anyone(stop()):
                group.pace(seconds)
                with group.watched():
                    result, taken = self._step(prepared)
                state.shared[way] = state.shared.get(way, 0) + 1
                state.step += 1
                state.tokens += result.tokens
                is_known = recipe.qat.at(state.step) == recipe.qat.at(state.step - 1)  # else the next step may compile
                seconds = taken() if is_known else None
                model.quantize(recipe.qat.at(state.step))
                yield result

    def _way(self) -> str:
        """How steps are shared: the backend, and the form in which gradients, and packed weights if any, are sent."""
        dist, is_half = self._setup.recipe.train.dist, self._setup.plan.precision == "fp16"
        packed = "" if dist.weights == "fp32" else f", weights in {dist.weights}"
        return f"{dist.backend}, {'fp16' if is_half else dist.gradients.form}{packed}"

    def _step(self, prepared: PreparedBlocks) -> tuple[StepResult, Callable[[], float]]:
        """Make one step. Returns its result, and a function that returns the seconds since its data arrived."""
        recipe, model, state, group = self._setup.recipe, self._model, self.state, self._group
        accumulation = recipe.train.accumulation
        scale = rate_scale(recipe.schedule, state.step, recipe.train.steps)
        self._backend.begin(scale)
        numbers = range(state.step * accumulation, (state.step + 1) * accumulation)
        with spending(state.spent, "waiting for data"):
            blocks, after = deal_blocks(prepared, numbers, group)
        begun = time.monotonic()  # the others wait for data as long as process 0 lives
        state.stream = after or state.stream
        with spending(state.spent, "forward and backward"):
            figures = [self._learn(block, number, number == max(blocks)) for number, block in blocks.items()]
        with spending(state.spent, "sums over the replicas"):
            self._backend.reduce_gradients()
            _add_up_loads(model, group)
        with spending(state.spent, "update of the weights"):
            rates = self._update(scale)
        work = self._meter.read(sum(int(of_block["tokens"]) for of_block in figures))
        told = group.all_gather((peak_memory(model.device), astuple(work), figures))
        memory, works, of_blocks = zip(*told, strict=True)
        result = _step_result(of_blocks, rates, sum(memory), [Work(*of_worker) for of_worker in works])
        return result, lambda: time.monotonic() - begun

    def _update(self, scale: float) -> dict[str, float]:
        """Clip the gradients and update the weights; returns the gradient norm and the learning rate for the log."""
        recipe, state, backend = self._setup.recipe, self.state, self._backend
        figures = {"learning_rate": recipe.optimizer.learning_rate * scale}
        if (loss_scale := backend.loss_scale) is not None:
            figures["loss_scale"] = loss_scale
        norm = backend.update()
        is_finite = math.isfinite(norm)
        if loss_scale is not None:
            figures["left_out"] = float(not is_finite)
        elif not is_finite:
            fault = f"step {state.step + 1}: the gradient is not finite: {DIVERGED_REMEDY}"
            raise told_once(self._group, TuiliError(fault))
        self._model.after_step(scale)
        return figures | ({"gradient_norm": norm} if is_finite else {})

    def _learn(self, block: Block, number: int, last: bool) -> dict[str, float]:
        """Accumulate the gradients of a block; returns its figures, including `tokens` and `flops`.

        A step uses the mean of its blocks' losses, not of their tokens' losses: every block has the same weight.
        last: whether it is this process's last block in the step.
        """
        train, device = self._setup.recipe.train, self._model.device
        torch.manual_seed(_block_seed("model", train.seed, number))
        self._generator.manual_seed(_block_seed("exits", train.seed, number))
        result = self._backend.learn(block.to(device), self.state.step / train.steps, self._generator, last)
        figures = {name: float(value) for name, value in result.metrics.items()}
        return {"flops": 0.0} | figures | {"loss": result.loss.item(), "tokens": block.real_tokens}


def _block_seed(use: str, seed: int, number: int) -> int:
    """The seed of a generator for one use in one block. torch's CPU generator reads only these 32 bits."""
    return random.Random(f"{use}/{seed}/{number}").getrandbits(32)


def _step_result(
    of_replicas: Sequence[Sequence[dict[str, float]]], rates: dict[str, float], memory: int, workers: Sequence[Work]
) -> StepResult:
    """The result of a step from the figures of its blocks, which each replica lists by block number."""
    means, tokens, flops = RunningMeans(), 0, 0.0
    for figures in chain.from_iterable(zip(*of_replicas, strict=True)):  # by number: blocks are dealt round robin
        tokens += int(figures.pop("tokens"))
        flops += figures.pop("flops")
        means.add(figures)
    return StepResult(means.take() | rates, tokens, flops, memory, workers)


def _add_up_loads(model: TuiliForCausalLM, group: Group) -> None:
    """Add up, over all replicas, the tokens routed to each expert; `after_step` balances the experts by these loads."""
    loads = [router.load for router in model.routers()]
    for load, *of_replicas in zip(loads, *group.all_gather([load.tolist() for load in loads]), strict=True):
        load.copy_(torch.tensor(of_replicas, dtype=load.dtype).sum(0))
