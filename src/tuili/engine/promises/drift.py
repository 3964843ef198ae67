"""When to take a promise back: evidence, from answers that can be checked, that more than epsilon of them are wrong.

A bet on errors whose odds are fair at epsilon (Waudby-Smith and Ramdas 2020, arXiv 2010.09686): while the promise
holds, wealth is a supermartingale that starts at 1, so with probability 1 - alpha it never reaches 1 / alpha, however
long one watches (Ville's inequality). Part of the wealth is held back for bets that begin later, so that an hour of
faults is seen after a year without any. What to check, and what follows a revocation, is left to the caller.

Dimension: B bets, each on one error rate above epsilon.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, log, log1p
from typing import Any

from tuili.errors import InputError

ODDS_B = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""The rates that are bet on, as multiples of epsilon's odds. Rates closer to epsilon than about an eighth of it are
below what the least of these bets can win on."""


class DriftAlarm:
    """Watches the error of answers given under one promise; `revoked` becomes true once and stays so.

    epsilon: the share of wrong answers promised. alpha: the probability that the alarm is ever raised while the promise
    holds. Answers must be chosen for checking without regard to whether they are right. Not safe for several threads.
    Raises `InputError` for a share that is not between 0 and 1.
    """

    def __init__(self, epsilon: float, alpha: float = 0.01) -> None:
        for name, value in (("epsilon", epsilon), ("alpha", alpha)):
            if not 0 < value < 1:
                raise InputError(f"{name} = {value}: a share between 0 and 1 is needed, such as 0.01")
        self.epsilon, self.alpha, self.seen = epsilon, alpha, 0
        self._wealth_B = [0.0] * len(ODDS_B)
        # Odds of r times epsilon's are a rate of r epsilon / (1 + (r - 1) epsilon); a bet pays the ratio of the rates.
        pays_if_right_B = [1 / (1 + (ratio - 1) * epsilon) for ratio in ODDS_B]
        self._pays_if_right_B = pays_if_right_B
        self._pays_if_wrong_B = [ratio * pay for ratio, pay in zip(ODDS_B, pays_if_right_B, strict=True)]

    def saw(self, wrong: bool) -> None:
        """Take in one checked answer. After a revocation nothing more is learnt, so wealth cannot overflow."""
        if self.revoked:
            return
        stake = (_held_back(self.seen) - _held_back(self.seen + 1)) / len(ODDS_B)
        pays_B = self._pays_if_wrong_B if wrong else self._pays_if_right_B
        self._wealth_B = [(wealth + stake) * pay for wealth, pay in zip(self._wealth_B, pays_B, strict=True)]
        self.seen += 1

    @property
    def evidence(self) -> float:
        """The logarithm of wealth against the promise: 0 at first, at least log(1 / alpha) once revoked."""
        return log(self._wealth)

    @property
    def revoked(self) -> bool:
        """Whether the promise has been shown not to hold."""
        return self._wealth * self.alpha >= 1

    @property
    def _wealth(self) -> float:
        return sum(self._wealth_B) + _held_back(self.seen)

    def state(self) -> dict[str, Any]:
        """All that it knows, as plain values that JSON keeps exactly."""
        return {"epsilon": self.epsilon, "alpha": self.alpha, "seen": self.seen, "wealth": list(self._wealth_B)}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> DriftAlarm:
        """An alarm that goes on from a `state`; raises `InputError` for one that cannot have come from here."""
        try:
            alarm = cls(float(state["epsilon"]), float(state["alpha"]))
            seen, wealth_B = int(state["seen"]), [float(wealth) for wealth in state["wealth"]]
        except (KeyError, TypeError) as error:
            raise InputError(f"state of the drift alarm: {error}; epsilon, alpha, seen and wealth are needed") from None
        if seen < 0 or len(wealth_B) != len(ODDS_B) or not all(isfinite(w) and w >= 0 for w in wealth_B):
            raise InputError(
                f"state of the drift alarm: seen = {seen}, wealth = {wealth_B}; {len(ODDS_B)} amounts needed"
            )
        alarm.seen, alarm._wealth_B = seen, wealth_B
        return alarm


def _held_back(seen: int) -> float:
    """The share of wealth not yet staked after so many answers: as late as the n-th, 1 / (n log² n) is still put in."""
    return 1 / (1 + log1p(seen))
