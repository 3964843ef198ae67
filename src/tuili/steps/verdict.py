"""What the checker answers about a line: a status, the reason, the right value and a witness.

The theories refuse a line by raising a `StepFault`; `checker` turns every fault into a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from tuili.errors import TuiliError


class Status(StrEnum):
    """The four things a checker can honestly say about a line."""

    VALID = "valid"
    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"

    @property
    def mark(self) -> str:
        """The sign for a line with this status, on a terminal or a page: ✓, ✗, or · if nothing was decided."""
        return {Status.VALID: "✓", Status.INVALID: "✗"}.get(self, "·")


@dataclass(frozen=True)
class Verdict:
    """The answer about one line.

    `kind` names the theory that decided the line: `arithmetic`, `quantity`, `boolean`, `date`, `set`, `propositional`,
    `categorical`, `linear`, `polynomial`, `universal`, `instance`, `trace`, `proof` or `none`. `expected` is the right
    value or conclusion as text, if there is one. `witness` is the evidence: the rule, the premises used, a
    counter-model, a definition or an event.
    """

    status: Status
    kind: str = "none"
    reason: str = ""
    expected: str | None = None
    witness: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What a theory of inference decided: whether the conclusion follows, and whether the premises are consistent.

    If the conclusion follows, `rule` names how, and `used` holds the positions of premises that suffice. If not,
    `counter_model` makes the premises true and the conclusion false.
    """

    follows: bool
    consistent: bool = True
    rule: str = ""
    used: tuple[int, ...] = ()
    counter_model: Mapping[str, object] | None = None
    expected: str | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)


class StepFault(TuiliError):
    """A line that cannot be shown to be right. `status` is the status of its verdict."""

    status: ClassVar[Status]


class Unreadable(StepFault):
    """The line is not in the step language."""

    status = Status.UNSUPPORTED


class Undecided(StepFault):
    """The line was read, but no theory here decides it."""

    status = Status.UNSUPPORTED


class Undefined(StepFault):
    """A part of the line has no value, like a division by zero or a sum of metres and seconds."""

    status = Status.INVALID


class Ungrounded(StepFault):
    """An inference starts from something that neither the problem nor the chain has established."""

    status = Status.INVALID


class LimitExceeded(StepFault):
    """Deciding the line would exceed a bound on size or work."""

    status = Status.TIMEOUT
