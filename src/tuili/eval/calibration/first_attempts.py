"""Provides the alarms on first attempts with bounds from calibration: how often the events that they count occurred.

Both shares are bounded from above on the problems that test the thresholds, which are drawn as requests are. The level
below which a confidence is low is chosen on the problems that fit the confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from tuili.engine import Confidence, LowConfidence
from tuili.eval.calibration.guarantee import clopper_pearson_upper

BOUND_DELTA = 0.01
"""The probability that a bound on the share of first attempts does not hold."""
LOW_SHARE = 0.25
"""About this share of first attempts has a low confidence.

It was chosen by how soon the alarm is raised: the median over 400 simulated streams, with the bound computed from 589
tested problems. If normal scores fall by 0.6 of their standard deviation, detection takes 75 requests; a share from 0.2
to 0.5 is as good, and 0.1 takes 122. If a fifth of the requests is of another kind, and the model is unsure of all of
these, it takes 212; 0.1 takes 75, and 0.5 over 900. A quarter is a compromise between the two. If 1.5 times as many
attempts have a low confidence, it takes 360 requests (738 with 256 tested problems); if twice as many, 57 (72).
"""
MOST = 0.999
"""An alarm needs a share that can be exceeded."""
Features = tuple[float, ...] | None
"""The features of the answer of a first attempt, as returned by `answer_features`."""


def bounded_share(found: Sequence[bool]) -> float:
    """The Clopper-Pearson upper bound on the share of true values; at most 0.999, and 0.999 if there is no data."""
    return min(MOST, clopper_pearson_upper(sum(found), len(found), BOUND_DELTA)) if found else MOST


def low_confidence(
    confidence: Confidence, fitting: Sequence[Features], testing: Sequence[Features]
) -> LowConfidence | None:
    """The confidence below which `LOW_SHARE` of the first attempts of one part of a sample lie, counting those without
    an answer, and a bound on their share from the other part. None if a part has no first attempt that ended.
    """
    if not fitting or not testing:
        return None
    told = sorted(-inf if values is None else confidence.of_features(values) for values in fitting)
    level = max(0.0, told[int(LOW_SHARE * len(told))])
    return LowConfidence(level=level, share=bounded_share([confidence.is_below(level, values) for values in testing]))
