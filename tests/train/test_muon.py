"""Muon with stacked matrices is torch's Muon, whose numbers it has up to rounding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.optim import Muon

from tuili.train.muon import StackedMuon, orthogonalised

SHAPES = ((24, 24), (24, 40), (40, 24), (24, 24), (8, 24), (40, 24))
"""Square, lying and standing matrices."""


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
        assert (our - their).norm() < 0.02 * (their - before).norm()  # the products are bf16 in both
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


COEFFICIENTS = (3.4445, -4.775, 2.0315)


def iterated(matrix_rc: Tensor, dtype: torch.dtype) -> Tensor:
    """The iteration of `torch.optim.Muon` in a number format."""
    if matrix_rc.shape[0] > matrix_rc.shape[1]:
        return iterated(matrix_rc.mT, dtype).mT
    a, b, c = COEFFICIENTS
    x_rc = matrix_rc.to(dtype)
    x_rc = x_rc / x_rc.norm()
    for _ in range(5):
        gram_rr = x_rc @ x_rc.mT
        x_rc = torch.addmm(x_rc, torch.addmm(gram_rr, gram_rr, gram_rr, beta=b, alpha=c), x_rc, beta=a)
    return x_rc.double()


@pytest.mark.parametrize("noise", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("shape", [(24, 40), (192, 32), (96, 256), (64, 64)])
def test_singular_values_are_as_exact_as_those_of_torch(shape: tuple[int, int], noise: float) -> None:
    """Also where small ones lie beside large ones: a matrix of low rank and noise."""
    rows, columns = shape
    matrix_nrc = torch.randn(4, rows, 4) @ torch.randn(4, 4, columns) + noise * torch.randn(4, rows, columns)
    ours_nrc = orthogonalised(matrix_nrc, COEFFICIENTS, 5, 1e-7).double()
    theirs_nrc = torch.stack([iterated(matrix_rc, torch.bfloat16) for matrix_rc in matrix_nrc])
    exact_nrc = torch.stack([iterated(matrix_rc, torch.float64) for matrix_rc in matrix_nrc])
    assert (ours_nrc - exact_nrc).norm() < 1.6 * (theirs_nrc - exact_nrc).norm()
    ours_nr, theirs_nr, exact_nr = map(torch.linalg.svdvals, (ours_nrc, theirs_nrc, exact_nrc))
    error, their_error = ((values_nr - exact_nr).square().mean().sqrt() for values_nr in (ours_nr, theirs_nr))
    assert error < their_error + 0.01


def test_singular_values_come_near_one() -> None:
    result_nrc = orthogonalised(torch.randn(3, 16, 32), COEFFICIENTS, 5, 1e-7)
    values_nr = torch.linalg.svdvals(result_nrc.float())
    assert result_nrc.dtype == torch.bfloat16
    assert 0.5 < values_nr.min() <= values_nr.max() < 1.5
