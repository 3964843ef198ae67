"""Hidden matrices are updated by Muon and others by AdamW, and both go on from their tensors with the same bits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from tuili.posttrain.optimizer_state import BETAS, build_optimizers, optimizer_tensors, restore_optimizers
from tuili.train import Checkpoint, StackedMuon

HIDDEN = {"matrix"}


def drawn() -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    sizes = {"matrix": (6, 4), "head": (5, 4), "norm": (4,)}
    return {name: nn.Parameter(torch.randn(size, generator=generator)) for name, size in sizes.items()}


def step(parameters: Mapping[str, nn.Parameter], optimizers: list[torch.optim.Optimizer], number: int) -> None:
    generator = torch.Generator().manual_seed(number)
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    for optimizer in optimizers:
        optimizer.step()


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_each_has_its_own() -> None:
    ours, twins = drawn(), drawn()
    optimizers = build_optimizers(ours, 0.01, 0.1, HIDDEN)
    others = [twins["head"], twins["norm"]]
    alone = [AdamW(others, 0.01, BETAS, weight_decay=0.1), StackedMuon([twins["matrix"]], 0.01, 0.1)]
    for number in (1, 2):
        step(ours, optimizers, number)
        step(twins, alone, number)
    assert equal(ours, twins)
    by_adamw = drawn()
    step(by_adamw, build_optimizers(by_adamw, 0.01, 0.1), 1)
    assert not torch.equal(by_adamw["matrix"], ours["matrix"])


@pytest.mark.parametrize("hidden", [HIDDEN, set[str](), {"matrix", "head"}])
def test_they_go_on_with_the_same_bits(hidden: set[str]) -> None:
    whole, part = drawn(), drawn()
    of_whole, of_part = (build_optimizers(each, 0.01, 0.1, hidden) for each in (whole, part))
    for number in (1, 2):
        step(whole, of_whole, number)
        step(part, of_part, number)
    tensors = optimizer_tensors(part, of_part)
    assert {*tensors["first"]} == {*part}
    assert {*tensors["second"]} == {*part} - hidden
    saved = {kind: {name: tensor.clone() for name, tensor in each.items()} for kind, each in tensors.items()}
    fresh = drawn()
    of_fresh = build_optimizers(fresh, 0.01, 0.1, hidden)
    restore_optimizers(fresh, of_fresh, Checkpoint(2, saved, {}))
    step(fresh, of_fresh, 3)
    step(whole, of_whole, 3)
    assert equal(fresh, whole)
