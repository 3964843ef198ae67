import pytest

from tests.eval.scripted import response
from tuili.eval.depth import depth_point, depth_trends, spearman


def test_rank_correlation_knows_order_reverse_and_ties() -> None:
    assert spearman([1, 2, 3, 4], [10, 20, 25, 99]) == pytest.approx(1.0)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert spearman([1, 1, 2, 2], [3, 3, 3, 5]) == pytest.approx(0.5774, abs=1e-4)  # scipy.stats.spearmanr


def test_rank_correlation_of_a_constant_is_zero() -> None:
    assert spearman([1, 2, 3], [7, 7, 7]) == 0.0


def test_depth_rises_where_harder_problems_go_deeper() -> None:
    rising = [response("knights", level, depths=(3 * level,)) for level in (1, 2, 3) for _ in range(5)]
    flat = [response("calendar", level, depths=(3 + 3 * (i % 2),)) for level in (1, 2, 3) for i in range(4)]
    knights, calendar = depth_trends(rising + flat)
    assert (knights.domain, knights.by_level) == ("knights", {"1": 3, "2": 6, "3": 9})
    assert knights.rises
    assert calendar.spearman == pytest.approx(0.0)
    assert not calendar.rises


def test_a_weak_correlation_of_few_problems_does_not_count_as_rising() -> None:
    responses = [response(level=level, depths=(depth,)) for level, depth in ((1, 3), (1, 6), (2, 6), (2, 6))]
    (trend,) = depth_trends(responses)
    assert trend.spearman > 0
    assert not trend.rises


def test_one_level_has_no_trend() -> None:
    assert depth_trends([response(), response()]) == []


def test_a_depth_s_point_sums_up_its_responses() -> None:
    point = depth_point(12, [response(depths=(3, 3)), response(correct=False, depths=(6, 6))], seconds=1.5)
    assert (point.depth, point.accuracy, point.mean) == ("12", 0.5, {"1": 0.5})
    assert (point.tokens, point.mean_depth, point.seconds) == (4, 4.5, 1.5)
