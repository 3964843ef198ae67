"""Products of packed matrices: each format against numpy, and a row's bits whatever stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native import twins
from tests.native.calling import Products
from tuili.errors import InputError
from tuili.native import FORMATS, Matrix, pack
from tuili.native.rounding import mixing_of

SHAPES = [
    (1, 1),
    (1, 32),
    (16, 32),
    (64, 64),
    (65, 31),
    (100, 96),
    (338, 192),
    (129, 257),
    (48, 576),
    (70, 48),
    (33, 16),
]
"""Outputs and inputs: whole and partial panels, groups, words and blocks that are mixed."""
KINDS = [*FORMATS, "foreign fp32", "foreign int8", "foreign int4"]


@pytest.fixture(scope="module")
def products() -> Iterator[Products]:
    made = Products()
    yield made
    made.end()


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def packed(weight_NK: np.ndarray, kind: str) -> Matrix:
    number_format = next(name for name in FORMATS if kind.endswith(name))
    return pack(weight_NK, number_format, foreign=kind.startswith("foreign"))


@pytest.mark.parametrize(("outputs", "inputs"), SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_product_equals_its_twin(products: Products, kind: str, outputs: int, inputs: int):
    weight_NK, x_RK = numbers(outputs, inputs), numbers(7, inputs)
    matrix = packed(weight_NK, kind)
    expected_RN = twins.product(weight_NK, x_RK, matrix.format, matrix.mixing)
    if matrix.format == "int8":  # sums of whole numbers are exact
        assert np.array_equal(products(matrix, x_RK), expected_RN)
    else:
        assert np.abs(products(matrix, x_RK) - expected_RN).max() <= 2e-6 * np.abs(expected_RN).max() * inputs**0.5


@pytest.mark.parametrize(("kind", "outputs"), list(product(KINDS, [338, 40])))
def test_a_rows_bits_do_not_depend_on_its_company(products: Products, kind: str, outputs: int):
    x_RK, matrix = numbers(19, 96), packed(numbers(outputs, 96), kind)
    alone_RN = np.concatenate([products(matrix, x_RK[r : r + 1]) for r in range(19)])
    for count in range(1, 20):
        assert np.array_equal(products(matrix, x_RK[:count]), alone_RN[:count])
    draw = np.random.default_rng(0)
    for count in (1, 2, 5, 13, 40):
        rows = draw.integers(0, 19, count)
        assert np.array_equal(products(matrix, x_RK, rows), alone_RN[rows])


@pytest.mark.parametrize("kind", KINDS)
def test_two_threads_give_the_bits_of_one(products: Products, kind: str):
    x_RK, matrix = numbers(33, 512), packed(numbers(1000, 512), kind)
    two = Products(threads=2)
    for _ in range(5):
        assert np.array_equal(two(matrix, x_RK), products(matrix, x_RK))
    two.end()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_go_to_their_places_and_nothing_else_is_written(products: Products, kind: str):
    x_RK, matrix = numbers(6, 64), packed(numbers(70, 64), kind)
    y_RN = products(matrix, x_RK, rows=[5, 0, 3], places=[1, 6, 4])
    expected_RN = products(matrix, x_RK)
    assert np.array_equal(y_RN[[1, 6, 4]], expected_RN[[5, 0, 3]])
    assert np.isnan(y_RN[[0, 2, 3, 5]]).all()

    wide_RN = np.full((7, 90), np.nan, np.float32)
    products(matrix, x_RK, out_RN=wide_RN)
    assert np.array_equal(wide_RN[:6, :70], expected_RN)
    assert np.isnan(wide_RN[:6, 70:]).all() and np.isnan(wide_RN[6]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_may_be_strided_zero_and_of_any_size(products: Products, kind: str):
    matrix, wide_RK = packed(numbers(64, 64), kind), numbers(3, 100)
    assert np.array_equal(products(matrix, wide_RK[:, :64]), products(matrix, wide_RK[:, :64].copy()))
    assert not products(matrix, np.zeros((2, 64), np.float32)).any()
    tiny_RN, huge_RN = (products(matrix, wide_RK[:, :64] * np.float32(size)) for size in (1e-12, 1e12))
    assert np.allclose(tiny_RN * 1e24, huge_RN, rtol=1e-2, atol=1e-2 * np.abs(huge_RN).max())


@settings(deadline=None, max_examples=60)
@given(
    outputs=st.integers(1, 140),
    inputs=st.integers(1, 140),
    kind=st.sampled_from([kind for kind in KINDS if kind != "foreign int8"]),
    size=st.sampled_from([1e-6, 1.0, 1e3]),
    seed=st.integers(0, 9),
)
def test_unit_vectors_read_the_packed_weights(outputs, inputs, kind, size, seed):
    weight_NK = numbers(outputs, inputs, seed=seed) * np.float32(size)
    weight_NK[::3] = 0
    matrix = packed(weight_NK, kind)
    read_KN = Products()(matrix, np.eye(inputs, dtype=np.float32))
    atol = 3e-6 * size if matrix.format == "affine" else 0  # a sum of two numbers
    assert np.allclose(read_KN.T, twins.dequantised(weight_NK, matrix.format), rtol=1e-6, atol=atol)


@settings(deadline=None, max_examples=40)
@given(blocks=st.integers(1, 9), block=st.sampled_from([16, 32, 64]), seed=st.integers(0, 9))
def test_mixing_leaves_the_product_and_hides_large_inputs(blocks, block, seed):
    inputs = blocks * block
    weight_NK, x_RK = numbers(80, inputs, seed=seed), numbers(6, inputs, seed=seed + 1)
    x_RK[:, seed % inputs] *= 40
    plain, mixed, exact_RN = pack(weight_NK, "int8"), pack(weight_NK, "int8", foreign=True), x_RK @ weight_NK.T
    assert mixed.mixing == mixing_of(inputs) >= block
    plain_error, mixed_error = (np.square(Products()(matrix, x_RK) - exact_RN).mean() for matrix in (plain, mixed))
    assert mixed_error < min(plain_error, 4e-4 * np.square(exact_RN).mean())


def test_sums_of_blocks_err_less_than_one_long_sum(products: Products):
    weight_NK, x_RK = numbers(128, 1536), numbers(8, 1536)
    exact_RN = x_RK.astype(np.float64) @ weight_NK.astype(np.float64).T
    plain, blocks = (
        np.square(products(pack(weight_NK, "fp32", foreign=foreign), x_RK) - exact_RN).mean()
        for foreign in (False, True)
    )
    assert blocks < 0.25 * plain


def test_a_block_that_is_mixed_is_a_power_of_two():
    sizes = (31, 8, 24, 16, 48, 96, 64, 576, 1536)
    assert [mixing_of(inputs) for inputs in sizes] == [0, 0, 0, 16, 16, 32, 64, 64, 64]
    assert pack(numbers(8, 24), "int8", foreign=True).mixing == pack(numbers(8, 64), "bf16", foreign=True).mixing == 0


def test_int4_needs_whole_groups_of_inputs():
    assert pack(numbers(8, 64), "int4").format == "int4"
    assert pack(numbers(8, 63), "int4").format == "int8"
    assert pack(numbers(8, 64), "int4", foreign=True).format == "affine"
    assert pack(numbers(8, 48), "int4", foreign=True).mixing == 16


def test_affine_keeps_weights_that_have_its_form(products: Products):
    draw = np.random.default_rng(0)
    number_NGI = draw.integers(0, 16, (70, 6, 32))
    number_NGI[:, :, :2] = 0, 15
    scale_NG1, least_NG1 = (draw.normal(size=(70, 6, 1)).astype(np.float16) for _ in range(2))
    weight_NK = (number_NGI * np.abs(scale_NG1).astype(np.float32) + least_NG1.astype(np.float32)).reshape(70, 192)
    read_KN = products(pack(weight_NK.astype(np.float32), "int4", foreign=True), np.eye(192, dtype=np.float32))
    assert np.allclose(read_KN.T, weight_NK, rtol=0, atol=1e-6 * np.abs(weight_NK).max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float):
    weight_NK = numbers(8, 64)
    weight_NK[3, 4] = value
    for number_format in FORMATS:
        with pytest.raises(InputError, match="8 x 64 has weights that are not finite"):
            pack(weight_NK, number_format)


@pytest.mark.parametrize("kind", ["int4", "foreign int4"])
def test_int4_refuses_weights_beyond_its_scales(kind: str):
    with pytest.raises(InputError, match="too large for int4"):
        packed(np.full((8, 64), 1e6, np.float32), kind)


def test_a_matrix_tells_its_bytes():
    assert {kind: bytes_of(packed(numbers(128, 256), kind)) for kind in KINDS} == {
        "fp32": 128 * 256 * 4,
        "bf16": 128 * 256 * 2,
        "int8": 128 * 256 + 128 * 8,
        "int4": 128 * 256 // 2 + 128 * 256 // 32 * 2,
        "foreign fp32": 128 * 256 * 4,
        "foreign int8": 128 * 256 + 128 * 8,
        "foreign int4": 128 * 256 // 2 + 128 * 256 // 32 * 4,
    }


def bytes_of(matrix: Matrix) -> int:
    assert matrix.panels.ctypes.data % 64 == 0
    return matrix.nbytes
