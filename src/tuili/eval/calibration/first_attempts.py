"""What calibration tells the alarms on first attempts: how often the sample had what they count.

Both shares are bounded from above on the problems that test the thresholds, which are drawn as requests are. The level
below which a confidence is low is chosen on those that fit the confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from tuili.engine import Confidence, LowConfidence
from tuili.eval.calibration.guarantee import clopper_pearson_upper

BOUND_DELTA = 0.01
"""Probability that a bound on the share of first attempts does not hold."""
LOW_SHARE = 0.25
"""About this share of first attempts has a low confidence.

Chosen by how soon the alarm is raised: the median of 400 simulated streams, where the bound comes of 589 tested
problems. Normal scores that fall by 0.6 of their standard deviation take 75 requests; a share from 0.2 to 0.5 is as
good, and 0.1 takes 122. A fifth of requests of another kind, of all of which the model is unsure, takes 212; 0.1 takes
75, and 0.5 over 900. A quarter stands between the two. Where half as many attempts again have a low confidence, it
takes 360 requests (738 where 256 problems were tested), and 57 (72) where twice as many have.
"""
MOST = 0.999
"""An alarm needs a share that can be exceeded."""
Features = tuple[float, ...] | None
"""Of the answer of a first attempt, as `answer_features` tells them."""


def bounded_share(found: Sequence[bool]) -> float:
    """The upper bound (Clopper-Pearson) of the share of what was found; 0.999 where nothing is known."""
    return min(MOST, clopper_pearson_upper(sum(found), len(found), BOUND_DELTA)) if found else MOST


def low_confidence(
    confidence: Confidence, fitting: Sequence[Features], testing: Sequence[Features]
) -> LowConfidence | None:
    """The confidence below which `LOW_SHARE` of the first attempts of one part of a sample lie, or have no answer to
    give, and the bound of their share by the other part. None where a part has no first attempt that ended.
    """
    if not fitting or not testing:
        return None
    told = sorted(-inf if values is None else confidence.of_features(values) for values in fitting)
    level = max(0.0, told[int(LOW_SHARE * len(told))])
    return LowConfidence(level=level, share=bounded_share([confidence.is_below(level, values) for values in testing]))
