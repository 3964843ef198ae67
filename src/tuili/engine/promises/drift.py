"""The drift alarm: revokes a promise once judged answers are evidence that more than a share epsilon is wrong.

It bets on errors at odds that are fair at epsilon (Waudby-Smith and Ramdas 2020, arXiv 2010.09686). While the promise
holds, its wealth is a supermartingale that starts at 1, so with probability 1 - alpha the wealth never reaches
1 / alpha, however long one watches (Ville's inequality). Part of the wealth is reserved for bets that begin later, so
that an hour of faults is detected even after a year without any. The caller chooses the answers to judge, and acts on a
revocation.

Dimension: B bets, each on one error rate above epsilon.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import expm1, inf, isfinite, log, log1p
from typing import Any

from tuili.errors import InputError

ODDS_B = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""The error rates that are bet on, as multiples of epsilon's odds. These bets cannot detect a true rate that exceeds
epsilon by less than an eighth of it."""
MAX_SEEN = 2**63
"""Upper limit on the number of answers that an alarm can have seen."""
ROUNDING = 1e-9
"""How far below 1 a product may fall through rounding."""


class DriftAlarm:
    """Watches the error of answers given under one promise. `revoked` stays true once it is true. Not thread-safe.

    Args:
        epsilon: the promised share of wrong answers.
        alpha: the probability that the alarm is ever raised although the promise holds.
    Answers must be chosen for judging without regard to whether they are right. Raises `InputError` for a share that is
    not between 0 and 1.
    """

    def __init__(self, epsilon: float, alpha: float = 0.01) -> None:
        for name, value in (("epsilon", epsilon), ("alpha", alpha)):
            if not 0 < value < 1:
                raise InputError(f"{name} = {value}: a share between 0 and 1 is needed, such as 0.01")
        self.epsilon, self.alpha, self.seen = epsilon, alpha, 0
        self._wealth_B = [0.0] * len(ODDS_B)
        # Odds of r times epsilon's mean a rate of r epsilon / (1 + (r - 1) epsilon); a bet pays the ratio of the rates.
        pays_if_right_B = [1 / (1 + (ratio - 1) * epsilon) for ratio in ODDS_B]
        self._pays_if_right_B = pays_if_right_B
        self._pays_if_wrong_B = [ratio * pay for ratio, pay in zip(ODDS_B, pays_if_right_B, strict=True)]

    def observe(self, wrong: bool, most: float = inf) -> float:
        """Record one judged answer. Returns the increase in evidence, which is negative for a right answer.

        After a revocation nothing changes, so that wealth cannot overflow.

        Args:
            most: the maximum increase in evidence. Only as large a part of the wealth is bet as keeps a wrong answer
                within it. The part is chosen before the answer counts, so the bets stay fair.
        """
        if self.revoked or most <= 0:
            return 0.0
        before = self._wealth
        stake = (_reserve(self.seen) - _reserve(self.seen + 1)) / len(ODDS_B)
        staked_B = [wealth + stake for wealth in self._wealth_B]
        pays_B = self._pays_if_wrong_B if wrong else self._pays_if_right_B
        won_B = [staked * (pay - 1) for staked, pay in zip(staked_B, pays_B, strict=True)]
        part = 1.0
        if most < inf:
            most_won = sum(staked * (pay - 1) for staked, pay in zip(staked_B, self._pays_if_wrong_B, strict=True))
            part = min(1.0, expm1(most) * before / most_won)
        self._wealth_B = [staked + part * won for staked, won in zip(staked_B, won_B, strict=True)]
        self.seen += 1
        return log(self._wealth / before)

    @property
    def evidence(self) -> float:
        """The logarithm of the wealth: 0 at first, at least log(1 / alpha) once revoked."""
        return log(self._wealth)

    @property
    def revoked(self) -> bool:
        """Whether the evidence against the promise is sufficient."""
        return self._wealth * self.alpha >= 1 - ROUNDING

    @property
    def limit(self) -> float:
        """The evidence that revokes: log(1 / alpha)."""
        return -log(self.alpha)

    @property
    def _wealth(self) -> float:
        return sum(self._wealth_B) + _reserve(self.seen)

    def state(self) -> dict[str, Any]:
        """The whole state as plain values that JSON preserves exactly."""
        return {"epsilon": self.epsilon, "alpha": self.alpha, "seen": self.seen, "wealth": list(self._wealth_B)}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> DriftAlarm:
        """An alarm that continues from a `state`. Raises `InputError` if it is not a valid state."""
        try:
            alarm = cls(float(state["epsilon"]), float(state["alpha"]))
            seen, wealth_B = int(state["seen"]), [float(wealth) for wealth in state["wealth"]]
            possible = 0 <= seen < MAX_SEEN and len(wealth_B) == len(ODDS_B) and min(wealth_B) >= 0
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"state of the drift alarm: {error}; epsilon, alpha, seen and wealth are needed") from None
        if not possible or not isfinite(sum(wealth_B)):
            raise InputError(
                f"state of the drift alarm: seen = {seen}, wealth = {wealth_B}; {len(ODDS_B)} amounts needed"
            )
        alarm.seen, alarm._wealth_B = seen, wealth_B
        return alarm


def _reserve(seen: int) -> float:
    """The share of wealth not yet staked after `seen` answers. The n-th answer is still staked 1 / (n log² n)."""
    return 1 / (1 + log1p(seen))
