"""The parts of a training that every process of a run has: `build` makes them, `trainer` and `dist` use them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tuili.data import StreamState
from tuili.model import TuiliForCausalLM
from tuili.train.execution import ExecutionPlan
from tuili.train.feed.blocks import PreparedBlocks
from tuili.train.objective import Objective
from tuili.train.recipe import Recipe


@dataclass(frozen=True)
class TrainingSetup:
    """The parts that every replica of a run builds identically."""

    recipe: Recipe
    plan: ExecutionPlan
    model: TuiliForCausalLM
    objective: Objective
    open_blocks: Callable[[StreamState], AbstractContextManager[PreparedBlocks]]
    """Starts to prepare the blocks of the run from a given state of their stream."""
