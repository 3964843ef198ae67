"""Matrices that are whole numbers already are packed to the bits that rounding the weights would have given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.native import twins
from tests.native.calling import Products
from tests.native.test_products import numbers
from tuili.errors import InputError
from tuili.native import pack
from tuili.native.panels import Matrix
from tuili.native.rounding import int8_of, mixed, mixing_of
from tuili.native.whole import Whole, pack_whole, value_of


def whole(weight_NK: np.ndarray, bits: int) -> Whole:
    if bits == 8:
        number_NK, scale_N = int8_of(weight_NK)
        return Whole(number_NK, scale_N[:, None])
    group_NGI = weight_NK.reshape(len(weight_NK), -1, 32)
    largest_NG1 = np.take_along_axis(group_NGI, np.abs(group_NGI).argmax(axis=2)[..., None], axis=2)
    scale_NG1 = (largest_NG1 / -8).astype(np.float16).astype(np.float32)
    number_NK = np.clip(np.rint(group_NGI / scale_NG1) + 8, 0, 15).astype(np.uint8).reshape(weight_NK.shape)
    return Whole(number_NK[:, ::2] | number_NK[:, 1::2] << 4, scale_NG1[..., 0])


def same(one: Matrix, other: Matrix) -> bool:
    pairs = [(one.panels, other.panels), (one.scale_N, other.scale_N), (one.sum_N, other.sum_N)]
    return all(a is b is None or np.array_equal(a, b) for a, b in pairs) and one.record.format == other.record.format


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("outputs", "inputs"), [(1, 32), (64, 64), (100, 96), (338, 192)])
def test_what_is_packed_is_what_rounding_gives(bits, outputs, inputs):
    weight_NK = numbers(outputs, inputs)
    given = whole(weight_NK, bits)
    packed = pack_whole(given)
    assert same(packed, pack(weight_NK, f"int{bits}"))
    value_NK = value_of(given)
    if bits == 4:  # what the numbers stand for was mixed before it was rounded
        assert packed.mixing == mixing_of(inputs)
        value_NK = mixed(value_NK, packed.mixing)
    assert same(packed, pack(value_NK, f"int{bits}"))  # rounded once more, it is the same


@pytest.mark.parametrize(("outputs", "inputs"), [(5, 32), (100, 96), (338, 192)])
def test_a_product_of_4_bits_mixes_its_inputs(outputs, inputs):
    given, x_RK = whole(numbers(outputs, inputs), 4), numbers(7, inputs)
    packed = pack_whole(given)
    number_RK, scale_R1 = twins.quantised_inputs(twins.mixed(x_RK, packed.mixing))
    value_NK = mixed(value_of(given), packed.mixing)
    expected_RN = (number_RK * scale_R1).astype(np.float64) @ value_NK.T.astype(np.float64)
    assert np.abs(Products()(packed, x_RK) - expected_RN).max() <= 2e-5 * np.abs(expected_RN).max()
    plain_RN = x_RK @ value_of(given).T
    assert np.abs(expected_RN - plain_RN).max() <= 0.03 * np.abs(plain_RN).max()


def test_inputs_of_8_bits_need_no_groups():
    weight_NK = numbers(70, 37)
    assert same(pack_whole(whole(weight_NK, 8)), pack(weight_NK, "int8"))


@pytest.mark.parametrize("bits", [4, 8])
def test_scales_that_are_not_finite_are_refused(bits):
    number, scale = whole(numbers(16, 64), bits)
    scale[3] = np.nan
    with pytest.raises(InputError, match="a matrix of 16 x 64 has weights that are not finite"):
        pack_whole(Whole(number, scale))


def test_experts_are_one_behind_the_other():
    given = [whole(numbers(5, 64, seed=seed), 4) for seed in range(3)]
    together = Whole(*map(np.stack, zip(*given, strict=True)))
    assert np.array_equal(value_of(together), np.stack([value_of(each) for each in given]))
