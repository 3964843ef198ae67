"""Muon with stacked matrices is torch's Muon, whose numbers it has up to rounding."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Muon

from tuili.train.muon import StackedMuon, orthogonalised

SHAPES = ((24, 24), (24, 40), (40, 24), (24, 24), (8, 24), (40, 24))
"""Square, lying and standing matrices; the standing ones go through the iteration with the lying one."""


def matrices() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def run_steps(optimizer: Muon, weights: list[Tensor]) -> None:
    for step in range(4):
        generator = torch.Generator().manual_seed(step)
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()


def test_it_takes_the_steps_of_torch_s_muon() -> None:
    ours, theirs = matrices(), matrices()
    run_steps(StackedMuon(ours, 0.02, 0.1), ours)
    twin = Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    run_steps(twin, theirs)
    for before, our, their in zip(matrices(), ours, theirs, strict=True):
        assert (our - their).norm() < 0.01 * (their - before).norm()  # the products are bf16 in both
    optimizer = StackedMuon(ours, 0.02, 0.1)
    optimizer.load_state_dict(twin.state_dict())
    assert all(optimizer.state[weight].keys() == {"momentum_buffer"} for weight in ours)


def test_a_matrix_without_a_gradient_stays() -> None:
    weights = matrices()
    optimizer = StackedMuon(weights, 0.02, 0.1)
    optimizer.step()
    for weight in weights[1:]:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert [torch.equal(now, then) for now, then in zip(weights, matrices(), strict=True)] == [True] + [False] * 5


def test_singular_values_come_near_one() -> None:
    result_nrc = orthogonalised(torch.randn(3, 16, 32), (3.4445, -4.775, 2.0315), 5, 1e-7)
    values_nr = torch.linalg.svdvals(result_nrc.float())
    assert result_nrc.dtype == torch.bfloat16
    assert 0.5 < values_nr.min() <= values_nr.max() < 1.5
