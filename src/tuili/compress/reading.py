"""Runs samples through a model of Tuili's own kind while moments are taken.

Dimensions: B rows, T tokens, E matrices of a stack, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from tuili.compress.moments import ExpertMoments, InputMoments, products
from tuili.data import IGNORE_INDEX, Block
from tuili.model import MixtureOfExperts, TuiliForCausalLM
from tuili.train import walk_exits


def moments_of(model: TuiliForCausalLM, names: Iterable[str], blocks: Iterable[Block]) -> dict[str, Tensor]:
    """The second moments [E, I, I] of the inputs of matrices, by their names below `model`: of linear layers, which are
    stacks of one, and of experts."""
    modules, names = dict(model.model.named_modules()), [*names]
    dense = {
        name: InputMoments(linear, products) for name in names if isinstance(linear := modules.get(name), nn.Linear)
    }
    of_experts = {name.partition(".experts.")[0] for name in names} & modules.keys()
    mixtures = {name: module for name in of_experts if isinstance(module := modules[name], MixtureOfExperts)}
    experts = {name: ExpertMoments(module, products) for name, module in mixtures.items()}
    behind = [watcher for name, watcher in dense.items() if name.startswith("reasoning.")]
    before = [watcher for name, watcher in dense.items() if not name.startswith("reasoning.")]
    read_samples(model, before, behind, [*experts.values()], blocks)
    found = {name: watcher.mean[None] for name, watcher in dense.items()}
    for name, moments in experts.items():
        found[f"{name}.experts.gate_up_proj"] = moments.inputs
        found[f"{name}.experts.down_proj"] = moments.neurons
    return {name: found[name] for name in names}


def read_samples(
    model: TuiliForCausalLM,
    of_trunk: Sequence[InputMoments],
    of_reasoning: Sequence[InputMoments],
    experts: Sequence[ExpertMoments],
    blocks: Iterable[Block],
) -> None:
    """Run blocks through a model: all tokens through the trunk, and response tokens through all layers."""
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
