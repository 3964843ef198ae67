"""Packed gradients by the library against plain numpy, bit by bit; how far they err; what is no message."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.native.calling import library
from tests.native.training import codec_twin
from tuili.errors import InputError
from tuili.native.codec import BLOCK, GradientCodec, MessageError, message_bytes

BITS = (2, 3, 4, 8)
SIZES = (0, 1, 7, 8, 9, 255, 256, 257, 1000, 2048)
finite = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=True)
numbers = st.integers(0, 600).flatmap(lambda count: arrays(np.float32, count, elements=finite))
seeds = st.none() | st.integers(0, 2**32 - 1)
bits_of_code = st.sampled_from(BITS)


@pytest.fixture(scope="module")
def codec() -> GradientCodec:
    return GradientCodec(library())


def normal(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, count]).normal(size=count).astype(np.float32)


def decoded(codec: GradientCodec, message: np.ndarray, count: int) -> np.ndarray:
    return codec.decode(message, np.full(count, 7, np.float32))


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("seed", "clip"), [(None, 1.0), (5, 1.0), (None, 0.7)])
def test_messages_numbers_and_errors_are_those_of_the_twin(
    codec: GradientCodec, count: int, bits: int, seed: int | None, clip: float
):
    number_N, error_N = normal(count), normal(count, 1) / 8
    wanted, after_N = codec_twin.encode(number_N, bits, seed, error_N, 0.8, clip)
    message = codec.encode(number_N, bits, seed=seed, clip=clip, error_N=error_N, keep=0.8)
    assert message.tobytes() == wanted
    np.testing.assert_array_equal(error_N, after_N)
    np.testing.assert_array_equal(decoded(codec, message, count), codec_twin.decode(wanted))


@given(numbers, bits_of_code, seeds)
@example(np.array([3, -3, 1.5], np.float32), 2, None)
@example(np.array([-0.0, 1e-38, -1e-31], np.float32), 3, None)
@example(np.full(256, -1e30, np.float32), 3, 1)
@settings(max_examples=60, deadline=None)
def test_any_numbers_are_those_of_the_twin(number_N: np.ndarray, bits: int, seed: int | None):
    codec = GradientCodec(library())
    message = codec.encode(number_N, bits, seed=seed)
    assert message.tobytes() == codec_twin.encode(number_N, bits, seed)[0]
    np.testing.assert_array_equal(decoded(codec, message, number_N.size), codec_twin.decode(message.tobytes()))
    codec.close()


@given(numbers, bits_of_code)
@settings(max_examples=60, deadline=None)
def test_a_number_errs_by_half_a_unit_or_by_one_of_the_other_sign(number_N: np.ndarray, bits: int):
    codec = GradientCodec(library())
    back_N = decoded(codec, codec.encode(number_N, bits), number_N.size)
    for begin in range(0, number_N.size, BLOCK):
        x_X, back_X = (every[begin : begin + BLOCK].astype(np.float64) for every in (number_N, back_N))
        most = np.abs(x_X).max()
        unit = most * 2.0 ** (1 - bits) * (1 + 2.0**-7)  # a bf16, rounded away from 0
        slack, error_X = unit * 1e-5 + 1e-30, np.abs(x_X - back_X)
        assert error_X.max() <= unit + slack
        largest = x_X[np.abs(x_X).argmax()]
        own_X = x_X[x_X * largest >= 0]
        if not (most in x_X and -most in x_X):
            assert error_X[x_X * largest >= 0].max() <= unit / 2 + slack, own_X
    codec.close()


@pytest.mark.parametrize("bits", BITS)
def test_zeros_stay_zeros_and_every_code_is_used(codec: GradientCodec, bits: int):
    number_N = np.linspace(-1, 1, BLOCK, dtype=np.float32)
    number_N[7] = 0
    back_N = decoded(codec, codec.encode(number_N, bits), BLOCK)
    assert back_N[7] == 0
    assert len(set(back_N)) == 2**bits - (bits == 8)  # there two numbers share the largest
    assert not decoded(codec, codec.encode(np.zeros(300, np.float32), bits), 300).any()


def test_rotation_spreads_a_number_that_is_larger(codec: GradientCodec):
    number_N = normal(64 * BLOCK)
    number_N[::BLOCK] = 10
    lost = [
        float(np.square(decoded(codec, codec.encode(number_N, 3, seed=seed), number_N.size) - number_N).mean())
        for seed in (None, 3)
    ]
    assert lost[1] < lost[0] / 2
    assert codec.encode(number_N, 3, seed=3).tobytes() != codec.encode(number_N, 3, seed=4).tobytes()


def test_numbers_err_less_in_the_mean_where_the_largest_are_cut_off(codec: GradientCodec):
    number_N = normal(64 * BLOCK)
    lost = [
        float(np.square(decoded(codec, codec.encode(number_N, 3, clip=clip), number_N.size) - number_N).mean())
        for clip in (1.0, 0.8, 0.4)
    ]
    assert lost[1] < 0.85 * lost[0] < lost[2]
    assert np.abs(decoded(codec, codec.encode(number_N, 3, clip=0.4), number_N.size)).max() < np.abs(number_N).max() / 2


def test_any_number_of_threads_gives_the_same_bits(codec: GradientCodec):
    number_N, three = normal(20_000), GradientCodec(library(), 3)
    for bits, seed in product(BITS, (None, 1)):
        errors = [normal(20_000, 1) for _ in range(2)]
        messages = [
            each.encode(number_N, bits, seed=seed, error_N=error_N, keep=0.5)
            for each, error_N in zip((codec, three), errors, strict=True)
        ]
        assert messages[0].tobytes() == messages[1].tobytes()
        np.testing.assert_array_equal(*errors)
        np.testing.assert_array_equal(*(decoded(each, messages[0], 20_000) for each in (codec, three)))
    three.close()


def test_messages_are_added_with_weights(codec: GradientCodec):
    given_N, sum_N = [normal(700, seed) for seed in range(3)], np.full(700, np.nan, np.float32)
    messages = [codec.encode(number_N, 4, seed=seed) for seed, number_N in enumerate(given_N)]
    for place, message in enumerate(messages):
        codec.decode(message, sum_N, add=place > 0, weight=1 / 3)
    wanted_N = np.zeros(700, np.float32)
    for message in messages:
        wanted_N = wanted_N + codec_twin.decode(message.tobytes(), 1 / 3)
    np.testing.assert_array_equal(sum_N, wanted_N)


def test_the_average_of_errors_gives_back_what_was_lost(codec: GradientCodec):
    """What is sent again and again is right in the mean where all of an error is kept for the next time."""
    number_N, error_N, sent_N = normal(1000), np.zeros(1000, np.float32), np.zeros(1000, np.float32)
    for _ in range(50):
        codec.decode(codec.encode(number_N, 3, error_N=error_N), sent_N, add=True)
    once_N = decoded(codec, codec.encode(number_N, 3), 1000)
    assert np.abs(sent_N / 50 - number_N).max() < np.abs(once_N - number_N).max() / 10


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e31, -1e31])
@pytest.mark.parametrize("seed", [None, 1])
def test_what_is_not_finite_makes_its_block_nan_and_keeps_errors(codec: GradientCodec, bad: float, seed: int | None):
    number_N, error_N = normal(700), normal(700, 1)
    number_N[[300, 690]] = bad
    before_N = error_N.copy()
    back_N = decoded(codec, codec.encode(number_N, 3, seed=seed, error_N=error_N, keep=0.9), 700)
    np.testing.assert_array_equal(np.isnan(back_N), np.arange(700) >= 256)
    np.testing.assert_array_equal(error_N[256:], before_N[256:])
    assert (error_N[:256] != before_N[:256]).all()


def test_sizes_count_scales_and_header():
    assert message_bytes(0, 3) == 16
    assert message_bytes(1, 3) == 16 + 2 + 3
    assert message_bytes(256, 3) == 16 + 2 + 96
    assert message_bytes(257, 8) == 16 + 4 + 256 + 8
    many = 1_000_000
    assert message_bytes(many, 3) <= 0.1 * 4 * many
    assert message_bytes(many, 3) <= 0.2 * 2 * many


def test_what_is_no_message_is_refused(codec: GradientCodec):
    message = codec.encode(normal(300), 3)
    for wrong in (message[:-1], message[:15], message[:0], np.append(message, np.uint8(0))):
        with pytest.raises(MessageError, match=rf"it is {wrong.size} bytes long, and 300 numbers were expected"):
            decoded(codec, wrong, 300)
    with pytest.raises(MessageError, match="299 numbers were expected"):
        decoded(codec, message, 299)
    for place, value in ((0, 1), (2, 5), (3, 2)):
        wrong = message.copy()
        wrong[place] = value
        with pytest.raises(MessageError, match="does not begin as a message"):
            decoded(codec, wrong, 300)


@given(st.binary(min_size=16 + 4 + 3 * 38, max_size=16 + 4 + 3 * 38), st.integers(0, 1))
@settings(max_examples=50, deadline=None)
def test_any_bytes_behind_a_header_are_numbers(data: bytes, rotated: int):
    codec = GradientCodec(library())
    message = np.frombuffer(data, np.uint8).copy()
    message[:16] = codec.encode(np.zeros(300, np.float32), 3)[:16]
    message[3] = rotated
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(decoded(codec, message, 300), codec_twin.decode(message.tobytes()))
    codec.close()


def test_arrays_that_cannot_be_used_are_refused(codec: GradientCodec):
    x = normal(512)
    for call in (
        lambda: codec.encode(x.astype(np.float64), 3),
        lambda: codec.encode(x[::2], 3),
        lambda: codec.encode(x, 3, error_N=x[:-1].copy()),
        lambda: codec.encode(x, 3, out=np.empty(5, np.uint8)),
        lambda: codec.decode(codec.encode(x, 3), x[::2]),
    ):
        with pytest.raises(InputError, match="of the codec: "):
            call()
    with pytest.raises(InputError, match="bits = 5: the codec has 2, 3, 4 and 8"):
        codec.encode(x, 5)
    with pytest.raises(InputError, match=r"clip = 1\.5: use 0\.01 to 1"):
        codec.encode(x, 3, clip=1.5)
    with pytest.raises(InputError, match="seed = -1"):
        codec.encode(x, 3, seed=-1)
