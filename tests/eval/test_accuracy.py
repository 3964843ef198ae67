import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.eval.scripted import response
from tuili.eval.accuracy import cells, mean_by_level, mean_depth, paired_difference, wilson_interval


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),  # statsmodels.stats.proportion.proportion_confint(..., method="wilson")
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (190, 200, 0.9104, 0.9726)],
)
def test_wilson_intervals_are_those_of_the_literature(right: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(right, n) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_share_and_stays_within_bounds(case: tuple[int, int]) -> None:
    right, n = case
    low, high = wilson_interval(right, n)
    assert 0 <= low <= right / n + 1e-12
    assert right / n - 1e-12 <= high <= 1


def test_nothing_tried_bounds_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_a_cell_sums_up_its_responses_and_no_others() -> None:
    (first, second) = cells(
        [
            response(correct=True, depths=(3, 3, 12)),
            response(correct=False, depths=(6,), steps="1 + 1 = 3\nsomething", stop="length"),
            response(level=2, correct=True),
        ]
    )
    assert (first.domain, first.level, first.n, first.accuracy) == ("arithmetic", 1, 2, 0.5)
    assert first.ci95 == wilson_interval(1, 2)
    assert first.mean_depth == (3 + 3 + 12 + 6) / 4
    assert first.mean_tokens == 2
    assert first.valid_steps == pytest.approx(1 / 3)
    assert first.complete == 0.5
    assert (second.level, second.n, second.accuracy) == (2, 1, 1.0)


def test_the_mean_weighs_domains_equally_whatever_their_size() -> None:
    responses = [response("arithmetic", correct=True)] * 9 + [response("knights", correct=False)]
    assert mean_by_level(cells(responses)) == {"1": 0.5}


def test_levels_are_averaged_apart() -> None:
    responses = [response(level=2, correct=False), response(level=1), response("knights", level=2)]
    assert mean_by_level(cells(responses)) == {"1": 1.0, "2": 0.5}


def test_an_empty_response_has_no_depth() -> None:
    assert response(depths=()).depth == 0.0
    assert mean_depth([response(depths=())]) == 0.0


def test_a_paired_difference_counts_only_where_the_two_disagree() -> None:
    one, other = [True] * 60 + [False] * 40, [True] * 50 + [False] * 50
    points, (low, high) = paired_difference(one, other)
    assert points == pytest.approx(0.1)
    assert (low, high) == pytest.approx((0.0372, 0.1588), abs=1e-3)
    unpaired = paired_difference(one, [*reversed(other)])
    assert unpaired[0] == pytest.approx(0.1)
    assert unpaired[1][0] < low, "what varies more is known less well"


def test_a_paired_difference_of_equals_still_has_an_interval() -> None:
    points, (low, high) = paired_difference([True] * 10, [True] * 10)
    assert points == 0
    assert low == -high < 0
