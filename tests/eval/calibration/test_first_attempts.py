"""What calibration tells the alarms on first attempts holds for requests that come as the sample came."""

from __future__ import annotations

from math import log
from statistics import fmean

import numpy as np
import pytest

from tuili.engine import FEATURES, Confidence
from tuili.eval.calibration.first_attempts import LOW_SHARE, MOST, bounded_share, low_confidence
from tuili.eval.calibration.guarantee import clopper_pearson_upper

BY_FIRST = Confidence((1.0, *[0.0] * (len(FEATURES) - 1)), 0.0)


def features(logit: float) -> tuple[float, ...]:
    return (logit, *[0.0] * (len(FEATURES) - 1))


def drawn(rng: np.random.Generator, count: int, unanswered: float = 0.1) -> list[tuple[float, ...] | None]:
    return [None if rng.random() < unanswered else features(float(rng.normal())) for _ in range(count)]


def test_a_quarter_of_one_part_is_below_the_level_and_the_share_is_bounded_by_the_other() -> None:
    rng = np.random.default_rng(1)
    fitting, testing = drawn(rng, 200), drawn(rng, 300)
    low = low_confidence(BY_FIRST, fitting, testing)
    assert low is not None
    assert sum(BY_FIRST.is_below(low.level, values) for values in fitting) == LOW_SHARE * len(fitting)
    found = sum(values is None or 1 / (1 + np.exp(-values[0])) < low.level for values in testing)
    assert low.share == clopper_pearson_upper(found, len(testing), 0.01)


def test_the_true_share_exceeds_the_bound_as_rarely_as_is_said() -> None:
    rng, exceeded = np.random.default_rng(2), 0
    truth = drawn(rng, 2000)
    for _ in range(200):
        low = low_confidence(BY_FIRST, drawn(rng, 90), drawn(rng, 180))
        assert low is not None
        share = fmean(BY_FIRST.is_below(low.level, values) for values in truth)
        exceeded += share > low.share
    assert exceeded <= 7, "1% of 200 are 2"


@pytest.mark.parametrize("unanswered", [0.4, 1.0])
def test_where_more_than_a_quarter_has_no_answer_these_alone_are_counted(unanswered: float) -> None:
    rng = np.random.default_rng(3)
    low = low_confidence(BY_FIRST, drawn(rng, 200, unanswered), drawn(rng, 200, unanswered))
    assert low is not None
    assert low.level == 0.0
    assert unanswered < low.share or low.share == MOST
    assert not BY_FIRST.is_below(0.0, features(-20.0))
    assert BY_FIRST.is_below(0.0, None)


def test_without_first_attempts_there_is_nothing_to_count() -> None:
    assert low_confidence(BY_FIRST, [], [features(0.0)]) is None
    assert low_confidence(BY_FIRST, [features(0.0)], []) is None
    assert bounded_share([]) == MOST
    assert bounded_share([True, True]) == MOST
    level = low_confidence(BY_FIRST, [features(log(3))], [features(log(3))])
    assert level is not None and level.level == pytest.approx(0.75)
