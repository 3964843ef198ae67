"""Samples run through a model of Tuili's own kind, while their moments are taken.

Dimensions: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

import torch

from tuili.compress.moments import ExpertMoments, InputMoments
from tuili.data import IGNORE_INDEX, Block
from tuili.model import TuiliForCausalLM
from tuili.train import walk_exits


def read_samples(
    model: TuiliForCausalLM,
    of_trunk: Sequence[InputMoments],
    of_reasoning: Sequence[InputMoments],
    experts: Sequence[ExpertMoments],
    blocks: Iterable[Block],
) -> None:
    """Run blocks through a model: all their tokens through the trunk, those of responses through all layers."""
    model.train(False)
    with ExitStack() as stack, torch.inference_mode():
        watchers: list[InputMoments | ExpertMoments] = [*of_trunk, *of_reasoning, *experts]
        for watcher in watchers:
            stack.enter_context(watcher.watching())
        for block in blocks:
            _read_block(model, of_trunk, of_reasoning, block.to(model.device))


def _read_block(
    model: TuiliForCausalLM, of_trunk: Sequence[InputMoments], of_reasoning: Sequence[InputMoments], block: Block
) -> None:
    learnt_B1 = (block.targets_BT != IGNORE_INDEX).sum(1, keepdim=True)
    for watcher in of_trunk:
        watcher.counts = lambda columns: block.documents_BT >= 0
    for watcher in of_reasoning:  # there the learnt tokens of a row come first
        watcher.counts = lambda columns: torch.arange(columns, device=model.device) < learnt_B1
    generator = torch.Generator(model.device).manual_seed(0)
    walk_exits(model, block, [1.0] * model.config.num_groups, generator)
