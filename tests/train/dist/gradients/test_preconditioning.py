"""Numbers that AdamW divides by their own size are rounded by their own size."""

from __future__ import annotations

import numpy as np
import torch

from tests.native.calling import library
from tuili.native import GradientCodec
from tuili.train.dist.gradients.preconditioning import LEAST, preconditioned


def test_small_numbers_beside_large_ones_are_not_lost() -> None:
    """The larger of their sizes is a hundred times the smaller, in each block of 256."""
    generator = torch.Generator().manual_seed(1)
    size_N = 10 ** -(2 * torch.rand(1024, generator=generator))
    gradient_N = size_N * torch.randn(1024, generator=generator)
    packed = [gradient_N.clone(), gradient_N.clone()]
    codec = GradientCodec(library())
    with preconditioned({"weight": packed[1]}, lambda name: size_N.square()):
        for numbers in packed:
            codec.decode(codec.encode(numbers.numpy(), 4, seed=3), numbers.numpy())
    alone, divided = (((numbers - gradient_N) / size_N).square().mean().item() for numbers in packed)
    assert divided < 0.2
    assert alone > 10 * divided
    codec.close()


def test_numbers_are_what_they_were_behind_it() -> None:
    """Also those of a parameter without a moment, and those that never had a gradient before."""
    gradients = {name: torch.tensor([2.0, -3.0, float("nan")]) for name in ("seen", "new", "still")}
    moments = {"seen": torch.tensor([4.0, 0.0, 0.0]), "still": torch.zeros(3)}
    expected = {name: gradient.clone() for name, gradient in gradients.items()}
    least = LEAST * 2 / 3
    with preconditioned(gradients, moments.get):
        seen = [2 / (2 + least), -3 / least, float("nan")]
        np.testing.assert_allclose(gradients["seen"].numpy(), seen, rtol=1e-6)
        for name in ("new", "still"):
            assert gradients[name][:2].equal(expected[name][:2])
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], equal_nan=True)
