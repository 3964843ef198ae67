"""Expected costs follow from measured ones."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.engine.scheduling.costs import (
    DEADLINE_SAFETY_FACTOR,
    INITIAL_RESPONSE_TOKENS,
    JITTER_KEPT,
    MAX_JITTER,
    MIN_UPDATE_WEIGHT,
    REMEMBERED_RESPONSES,
    Cost,
    Costs,
    ResponseLengths,
)
from tuili.engine.sequence import Sequence, SequenceLimits


def test_a_cost_is_a_line_between_the_sizes_that_were_measured() -> None:
    cost = Cost(16)
    assert cost.expected(4) == 0.0
    cost.observe(1, 3.0)
    assert cost.expected(1) == cost.expected(16) == 3.0
    for _ in range(9):
        cost.observe(16, 9.0)
    assert (cost.expected(1), cost.expected(16), cost.expected(6)) == pytest.approx((3.0, 9.0, 5.0))
    assert [cost.largest_within(seconds) for seconds in (2.9, 3.0, 5.1, 9.0, 99.0)] == [0, 1, 6, 16, 16]


def test_a_machine_that_slows_down_is_followed() -> None:
    cost = Cost(16)
    for factor in (1.0, 2.0):
        for _ in range(200):
            for size in (1, 4, 10, 16):
                cost.observe(size, factor * (1.0 + 0.5 * size))
    assert [cost.expected(size) for size in (1, 8, 16)] == pytest.approx([3.0, 10.0, 18.0], rel=0.01)


class PlainCost:
    """The slow twin: both ends of the line by one formula."""

    def __init__(self, largest: int) -> None:
        self.largest, self.ends, self.weights = largest, [0.0, 0.0], [0.0, 0.0]

    def shares(self, size: int) -> tuple[float, float]:
        share = (size - 1) / (self.largest - 1) if self.largest > 1 else 0.0
        return 1 - share, share

    def observe(self, size: int, seconds: float) -> None:
        if not any(self.weights):
            self.ends = [seconds, seconds]
        error = seconds - self.expected(size)
        for end, weight in enumerate(self.shares(size)):
            self.weights[end] += weight
            if weight:
                self.ends[end] += weight * max(MIN_UPDATE_WEIGHT, 1 / max(1.0, self.weights[end])) * error

    def expected(self, size: int) -> float:
        return max(0.0, sum(end * share for end, share in zip(self.ends, self.shares(size), strict=True)))


@given(st.sampled_from([1, 2, 16]), st.lists(st.tuples(st.integers(1, 16), st.floats(0, 1e3)), max_size=30))
def test_a_cost_is_that_of_its_plain_definition(largest: int, observed: list[tuple[int, float]]) -> None:
    cost, plain = Cost(largest), PlainCost(largest)
    for size, seconds in observed:
        cost.observe(min(size, largest), seconds)
        plain.observe(min(size, largest), seconds)
        for asked in (1, (largest + 1) // 2, largest):
            assert cost.expected(asked) == plain.expected(asked)


def test_the_median_of_the_longer_responses_says_how_many_tokens_are_left() -> None:
    lengths = ResponseLengths()
    assert [lengths.expected_left(n) for n in (0, 60, max(INITIAL_RESPONSE_TOKENS))] == [60, 60, inf]
    for number in range(REMEMBERED_RESPONSES):
        lengths.observe(number % 100 + 1)
    assert [lengths.expected_left(n) for n in (0, 90, 100)] == [43, 5, inf]
    assert lengths.tenth_percentile == 9


def test_a_response_that_was_cut_counts_with_its_expected_length() -> None:
    lengths = ResponseLengths()
    for _ in range(REMEMBERED_RESPONSES):
        lengths.observe(40)
    for _ in range(200):
        lengths.observe(20, cut=True)
    assert (lengths.expected_left(0), lengths.expected_left(20)) == (40, 20)
    lengths.observe(50, cut=True)
    assert lengths.expected_left(40) == inf, "nothing is known of longer ones"


def test_no_sequence_is_expected_to_exceed_its_limit() -> None:
    costs = Costs(4, 256)
    sequence = Sequence([1], SequenceLimits(7), tokens=[1, 2])
    assert costs.expected_tokens_left(sequence) == 5
    sequence.tokens += [3] * 5
    assert costs.expected_tokens_left(sequence) == 1


def test_jitter_is_the_largest_excess_over_what_is_allowed_for_anyway_and_fades() -> None:
    costs = Costs(4, 256)
    for seconds in (0.010, 0.014, 0.010):
        costs.observe(costs.trunk, 1, seconds)
    assert costs.jitter == 0.0, "half as much again is allowed for"
    allowed = DEADLINE_SAFETY_FACTOR * costs.trunk.expected(1)
    costs.observe(costs.trunk, 1, allowed + 0.007)
    assert costs.jitter == pytest.approx(0.007)
    for _ in range(10_000):
        costs.observe(costs.group, 4, 0.001)
    assert costs.jitter == pytest.approx(0.007 * JITTER_KEPT**10_000, rel=1e-3)
    assert 0.004 < costs.jitter < 0.006
    costs.observe(costs.group, 4, 3.0)
    assert costs.jitter == MAX_JITTER
    costs.reset()
    assert costs.jitter == 0.0


def test_costs_in_doubt_become_lower_until_they_are_measured_again() -> None:
    costs, sequence = Costs(4, 256), Sequence([1] * 10, SequenceLimits())
    for seconds in (0.001, *[0.010] * 50):
        for cost in (costs.prefill, costs.trunk, costs.judge):
            costs.observe(cost, 1, seconds)
    before = costs.min_seconds(sequence)
    for _ in range(20):
        costs.doubt(sequence, 0.0)
    assert 0.3 * before < costs.min_seconds(sequence) < 0.4 * before
    for cost in (costs.prefill, costs.trunk, costs.judge):
        costs.observe(cost, 1, 0.010)
    assert costs.min_seconds(sequence) > 0.6 * before, "one measurement makes up for half of the doubt"


def test_what_is_allowed_for_work_is_never_less_than_it_has_ever_taken() -> None:
    costs, long = Costs(4, 256), Sequence([1] * 256, SequenceLimits(1))
    for tokens, seconds in ((16, 0.002), (256, 0.030), (16, 0.001), (256, 0.020)):
        costs.observe(costs.prefill, tokens, seconds)
        costs.observe(costs.judge, 1, 0.001)
    costs.jitter = 0.005
    for _ in range(1000):
        costs.doubt(long, 0.001)
    assert DEADLINE_SAFETY_FACTOR * costs.prefill_seconds(256) == pytest.approx(0.020)
    assert DEADLINE_SAFETY_FACTOR * costs.judge.expected(1) == pytest.approx(0.001)
    assert costs.jitter == 0.005, "it is not what refuses this deadline"
    costs.doubt(long, 0.018)
    assert costs.jitter < 0.005
