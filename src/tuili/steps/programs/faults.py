"""What can be wrong with a program: it cannot be read, or its run ends without a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tuili.errors import InputError, TuiliError


class ProgramError(InputError):
    """A text that is not a program of the language: the line, what stands there, and what would be right."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


class FaultKind(StrEnum):
    """Why a run has no value."""

    ERROR = "error"  # Python raises the same exception
    LIMIT = "limit"  # a bound on the run is reached
    UNSUPPORTED = "unsupported"  # Python may continue, with a value that this language does not have


@dataclass(frozen=True)
class Fault:
    """A run that ends without a value, at a line. `error` is the name of Python's exception, for `ERROR` only."""

    kind: FaultKind
    reason: str
    line: int
    error: str = ""

    def __str__(self) -> str:
        return f"line {self.line}: {self.error or self.kind}: {self.reason}"


class Stop(TuiliError):
    """Ends a run from inside. No caller sees it: the machine turns it into a `Fault`, as it knows the line."""

    def __init__(self, kind: FaultKind, reason: str, error: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.error = error


def raised(error: str, reason: str) -> Stop:
    """The stop for a point where Python raises an exception of this name."""
    return Stop(FaultKind.ERROR, reason, error)


def unsupported(reason: str) -> Stop:
    """The stop for something that Python can do and this language cannot."""
    return Stop(FaultKind.UNSUPPORTED, reason)
