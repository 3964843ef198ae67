"""A bound on the work of deciding a line. Each module that spends work says in which unit it counts."""

from __future__ import annotations

from dataclasses import dataclass

from tuili.steps.verdict import LimitExceeded


@dataclass(slots=True)
class WorkBudget:
    """The units of work left, and the reason to give when they run out."""

    units_left: int
    reason: str

    def spend(self, work: int) -> None:
        """Takes units of work from the budget. Raises `LimitExceeded` if fewer were left."""
        self.units_left -= work
        if self.units_left < 0:
            raise LimitExceeded(self.reason)
