"""The work that deciding a line may still do. What counts as work is for the theory that spends it to say."""

from __future__ import annotations

from dataclasses import dataclass

from tuili.steps.verdict import LimitExceeded


@dataclass(slots=True)
class WorkBudget:
    """Work left, and the reason that is given when there is none."""

    left: int
    reason: str

    def spend(self, work: int) -> None:
        """Raises `LimitExceeded` when the work is used up."""
        self.left -= work
        if self.left < 0:
            raise LimitExceeded(self.reason)
