"""Samples run through a model of Tuili's own kind, while something watches what passes through its layers.

Dimensions: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

import torch
from torch import Tensor

from tuili.data import IGNORE_INDEX, Block
from tuili.model import TuiliForCausalLM
from tuili.train import walk_exits


class LayerWatcher(Protocol):
    """Watches the inputs of a linear layer.

    counts: set before each block; says which tokens of the pass count, [B, T], for a number T of columns.
    """

    counts: Callable[[int], Tensor]

    def watching(self) -> AbstractContextManager[None]:
        """Take up what passes, for the time of a `with` block."""
        ...


class ExpertWatcher(Protocol):
    """Watches what is routed to the experts of a layer."""

    def watching(self) -> AbstractContextManager[None]:
        """Take up what passes, for the time of a `with` block."""
        ...


def read_samples(
    model: TuiliForCausalLM,
    of_trunk: Sequence[LayerWatcher],
    of_reasoning: Sequence[LayerWatcher],
    experts: Sequence[ExpertWatcher],
    blocks: Iterable[Block],
) -> None:
    """Run blocks through a model: all their tokens through the trunk, those of responses through all layers."""
    model.train(False)
    with ExitStack() as stack, torch.inference_mode():
        for watcher in (*of_trunk, *of_reasoning, *experts):
            stack.enter_context(watcher.watching())
        for block in blocks:
            _read_block(model, of_trunk, of_reasoning, block.to(model.device))


def _read_block(
    model: TuiliForCausalLM, of_trunk: Sequence[LayerWatcher], of_reasoning: Sequence[LayerWatcher], block: Block
) -> None:
    learnt_B1 = (block.targets_BT != IGNORE_INDEX).sum(1, keepdim=True)
    for watcher in of_trunk:
        watcher.counts = lambda columns: block.documents_BT >= 0
    for watcher in of_reasoning:  # there the learnt tokens of a row come first
        watcher.counts = lambda columns: torch.arange(columns, device=model.device) < learnt_B1
    generator = torch.Generator(model.device).manual_seed(0)
    walk_exits(model, block, [1.0] * model.config.num_groups, generator)
