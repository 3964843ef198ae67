"""The state of a run: the calls that have not returned, their variables, their stacks, and the work left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tuili.steps.programs.language.syntax import Program
from tuili.steps.programs.running.instructions import Code
from tuili.steps.programs.running.operations import Meter
from tuili.steps.programs.values import Value, fresh


@dataclass(frozen=True)
class Operation:
    """One operation of a run: `sign` on `operands` gave `value`.

    The signs are those of operators and comparisons, `[]` for an element of a list, `next` for the next number of a
    range, `append`, `not`, `-` with one operand, and the names of built-in functions.
    """

    sign: str
    operands: tuple[Value, ...]
    value: Value
    line: int


@dataclass
class Iteration:
    """A `for` loop in progress. `step`: the step of a range; None for a list. `last`: the number that it gave last."""

    numbers: Iterator[int]
    step: int | None
    last: int | None = None


@dataclass
class Frame:
    """A call that has not returned."""

    code: Code
    variables: dict[str, Value]
    at: int = 0
    stack: list[Any] = field(default_factory=list)
    iterations: dict[int, Iteration] = field(default_factory=dict)


@dataclass
class Run:
    """A run of a program. `observe` receives each operation as it is done."""

    program: Program
    meter: Meter
    observe: Callable[[Operation], None] | None = None
    frames: list[Frame] = field(default_factory=list)
    codes: dict[str, Code] = field(default_factory=dict)
    returned: Value = None

    def before(self, value: Value) -> Value:
        """The value as it is now, for an operation that may change it."""
        return value if self.observe is None else fresh(value)

    def tell(self, sign: str, operands: tuple[Value, ...], value: Value, line: int) -> None:
        """Passes an operation to the observer of the run."""
        if self.observe is not None:
            self.observe(Operation(sign, tuple(map(fresh, operands)), fresh(value), line))


def taken(frame: Frame, count: int) -> list[Any]:
    """Removes the last operands from the stack, and returns them."""
    place = len(frame.stack) - count
    taken = frame.stack[place:]
    del frame.stack[place:]
    return taken
