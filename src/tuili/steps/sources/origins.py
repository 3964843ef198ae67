"""What tracing finds out about a chain: where each number of each step comes from, and which numbers no step used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Origin(StrEnum):
    """Where a number comes from."""

    PROMPT = "prompt"
    STEP = "step"
    """An earlier step."""
    CONSTANT = "constant"
    RESULT = "result"
    """The step itself gives it, through a side that holds only traced numbers."""
    NOWHERE = "nowhere"


class NumberSource(NamedTuple):
    """Where a number of a step comes from.

    `step` is the earlier step, counted from 1. `by` is the rule of written work that derives the number from there
    (`digits`, `quotient`, ...), or what a constant is.
    """

    number: str
    origin: Origin
    step: int | None = None
    by: str = ""

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {"number": self.number, "origin": str(self.origin), "step": self.step, "by": self.by}


@dataclass(frozen=True, slots=True)
class StepSources:
    """Where the numbers of a step come from."""

    numbers: tuple[NumberSource, ...] = ()

    @property
    def traced(self) -> bool:
        """Whether no number of the step comes from nowhere."""
        return not self.from_nowhere

    @property
    def from_nowhere(self) -> tuple[str, ...]:
        """The numbers of the step that come from nowhere."""
        return tuple(number.number for number in self.numbers if number.origin is Origin.NOWHERE)


@dataclass(frozen=True, slots=True)
class ChainSources:
    """Where the numbers of a chain come from, and the numbers of the prompt that no step used."""

    steps: tuple[StepSources, ...]
    unused: tuple[str, ...]
