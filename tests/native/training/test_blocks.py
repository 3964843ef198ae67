"""Products of training against numpy, in their three forms and in every mixture of number formats.

Dimensions: R rows, N outputs, K inputs.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.native.training.products import multiply
from tests.native.twins import as_bf16
from tuili.native.rounding import bf16_of

SHAPES_RNK = [(1, 1, 2), (5, 17, 6), (33, 70, 98), (9, 192, 64), (20, 130, 34)]
KINDS = {"fp32": ("fp32",) * 3, **{f"bf16 {r} {o}": ("bf16", r, o) for r, o in product(("bf16", "fp32"), repeat=2)}}
"""The numbers of the left operand, of the right one and of the result."""


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def stored(x: np.ndarray, kind: str) -> np.ndarray:
    return bf16_of(x) if kind == "bf16" else x.copy()


def twin(form: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    a, b = left.astype(np.float64), right.astype(np.float64)
    return (a.T if form == 2 else a) @ (b.T if form == 0 else b)


def operands(form: int, rows: int, outputs: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    left = numbers(*((inputs, rows) if form == 2 else (rows, inputs)))
    return left, numbers(*((outputs, inputs) if form == 0 else (inputs, outputs)), seed=1)


def error_of(out: np.ndarray, wanted: np.ndarray) -> float:
    out = out if out.dtype == np.float32 else as_bf16_back(out)
    return float(np.abs(out - wanted).max() / np.abs(wanted).max())


def as_bf16_back(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("shape_RNK", SHAPES_RNK, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", range(3))
def test_a_product_equals_its_twin(form: int, kind: str, shape_RNK: tuple[int, int, int]) -> None:
    left, right = operands(form, *shape_RNK)
    of_left, of_right, of_out = KINDS[kind]
    wanted = twin(form, *((left, right) if of_left == "fp32" else (as_bf16(left), as_bf16(right))))
    out = np.full(shape_RNK[:2], 0, np.float32 if of_out == "fp32" else np.uint16)
    multiply(form, stored(left, of_left), stored(right, of_right), out)
    assert error_of(out, wanted) < (1e-6 if of_out == "fp32" else 4e-3)


@pytest.mark.parametrize("form", range(3))
@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_rows_are_chosen_and_sums_go_on(form: int, kind: str) -> None:
    left, right = operands(form, 21, 40, 30)
    chosen = np.array([3, 3, 17, 0, 9], np.int32)
    wanted = twin(form, left[chosen], right[chosen] if form == 2 else right)
    out = np.ones(wanted.shape, np.float32)
    multiply(form, stored(left, kind), stored(right, kind), out, chosen, accumulate=True)
    assert error_of(out - 1, wanted) < (1e-6 if kind == "fp32" else 1e-2)


@pytest.mark.parametrize("form", range(2))
@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_a_rows_bits_do_not_depend_on_its_company(form: int, kind: str) -> None:
    left, right = operands(form, 19, 70, 34)
    every, alone = np.zeros((19, 70), np.float32), np.zeros((1, 70), np.float32)
    multiply(form, stored(left, kind), stored(right, kind), every)
    for row in range(19):
        multiply(form, stored(left[row : row + 1], kind), stored(right, kind), alone)
        assert np.array_equal(alone[0], every[row])


def test_nothing_beside_the_result_is_read_or_written() -> None:
    """Numbers behind the ends of rows are NaN, and stay."""
    for form, kind in product(range(3), ("fp32", "bf16")):
        left, right = operands(form, 7, 21, 18)
        wide = [np.full((len(x), x.shape[1] + 3), np.nan, np.float32) for x in (left, right)]
        for there, x in zip(wide, (left, right), strict=True):
            there[:, : x.shape[1]] = x
        held = [stored(there, kind)[:, : x.shape[1]] for there, x in zip(wide, (left, right), strict=True)]
        out = np.full((8, 24), np.nan, np.float32)
        multiply(form, held[0], held[1], out[:7, :21])
        assert np.isfinite(out[:7, :21]).all()
        assert np.isnan(out[7:]).all()
        assert np.isnan(out[:, 21:]).all()
