"""What a program must do, and the verdict on one: by examples and hidden cases, or by all inputs of a small domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from math import prod
from typing import TypeAlias

from tuili.errors import InputError
from tuili.steps.programs.bounds import DEFAULT_BOUNDS, Bounds
from tuili.steps.programs.faults import Fault, ProgramError
from tuili.steps.programs.language.parser import parse_program
from tuili.steps.programs.language.syntax import Program
from tuili.steps.programs.running.machine import measured_run
from tuili.steps.programs.values import Value, same_value, shortened

MAX_INPUTS = 2000
"""The maximum number of inputs that a verdict tries, and so the size of the largest domain."""
MAX_STEPS = 200_000
"""The maximum number of steps that a verdict takes, over all inputs."""


@dataclass(frozen=True)
class Case:
    """What a program gives for one input."""

    arguments: tuple[Value, ...]
    value: Value

    def __str__(self) -> str:
        return f"({', '.join(map(shortened, self.arguments))}) = {shortened(self.value)}"


@dataclass(frozen=True)
class Integers:
    """All whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    @property
    def size(self) -> int:
        """The number of integers."""
        return max(self.high - self.low + 1, 0)

    def values(self) -> Iterator[Value]:
        """The integers, in order."""
        return iter(range(self.low, self.high + 1))


@dataclass(frozen=True)
class Lists:
    """All lists of `shortest` to `longest` whole numbers from `low` to `high`, all bounds included."""

    low: int
    high: int
    shortest: int
    longest: int

    @property
    def size(self) -> int:
        """The number of lists. Above `MAX_INPUTS` it may be too small, but is still above `MAX_INPUTS`."""
        size, width = 0, max(self.high - self.low + 1, 0)
        for length in range(max(self.shortest, 0), self.longest + 1):
            size += min(width, MAX_INPUTS + 1) ** min(length, MAX_INPUTS)
            if size > MAX_INPUTS:
                break
        return size

    def values(self) -> Iterator[Value]:
        """The lists, shorter ones first."""
        numbers = range(self.low, self.high + 1)
        lengths = range(self.shortest, self.longest + 1)
        return chain.from_iterable(map(list, product(numbers, repeat=length)) for length in lengths)


Inputs: TypeAlias = Integers | Lists


@dataclass(frozen=True)
class Specification:
    """What the function `function` must do.

    examples: the cases that the prompt shows. hidden: inputs that it does not show. domain: the values that are also
    tried for each parameter, in all combinations. `reference`, a correct program, gives the values for `hidden` and
    `domain`. Raises `InputError` if there is nothing to try, or too much, or a reference is missing.
    """

    function: str
    examples: tuple[Case, ...] = ()
    hidden: tuple[tuple[Value, ...], ...] = ()
    domain: tuple[Inputs, ...] = ()
    reference: str = ""

    def __post_init__(self) -> None:
        if (self.hidden or self.domain) and not self.reference:
            raise InputError("hidden inputs and a domain need a reference: a program that is right")
        of_domain = prod(inputs.size for inputs in self.domain) if self.domain else 0
        tried = len(self.examples) + len(self.hidden) + of_domain
        if not 1 <= tried <= MAX_INPUTS:
            raise InputError(f"a specification tries 1 to {MAX_INPUTS} inputs, not {tried}")

    def cases(self, bounds: Bounds = DEFAULT_BOUNDS) -> Iterator[Case]:
        """Every case: the examples, the hidden ones, and those of the domain.

        Raises `InputError` for a reference that cannot be read, gives no value, or takes more than `MAX_STEPS` in all.
        """
        yield from self.examples
        if not self.hidden and not self.domain:
            return
        runner = _Runner(parse_program(self.reference), self.function, bounds)
        of_domain = product(*(list(inputs.values()) for inputs in self.domain)) if self.domain else ()
        for arguments in chain(self.hidden, of_domain):
            value = runner.run(arguments)
            if isinstance(value, Fault):
                raise InputError(f"the reference has no value for {shortened(arguments)}: {value}")
            yield Case(arguments, value)


@dataclass(frozen=True)
class ProgramVerdict:
    """Whether a program is right, and if not, why and for which input. `tried`: the number of inputs."""

    right: bool
    reason: str = ""
    tried: int = 0
    failing: Case | None = None
    """The first case that the program fails, with the right value."""
    fault: Fault | None = None
    """Why the run of that case has no value, if it has none."""


def decide(program: Program | str, specification: Specification, bounds: Bounds = DEFAULT_BOUNDS) -> ProgramVerdict:
    """Whether a program, given as text or parsed, gives the right value in every case of a specification.

    The program must have a function with the specification's name. A run that faults is wrong, and so is a value of
    another kind, such as `True` for 1. The work is bounded for any program.
    """
    try:
        program = parse_program(program) if isinstance(program, str) else program
    except ProgramError as error:
        return ProgramVerdict(False, str(error))
    if program.function(specification.function) is None:
        return ProgramVerdict(False, f"there is no function {specification.function}")
    tried, runner = 0, _Runner(program, specification.function, bounds)
    for tried, case in enumerate(specification.cases(bounds), start=1):
        value = runner.run(case.arguments)
        if isinstance(value, Fault):
            reason = f"{specification.function}{case}, but the run has none: {value}"
            return ProgramVerdict(False, reason, tried, case, value)
        if not same_value(value, case.value):
            return ProgramVerdict(False, f"{specification.function}{case}, not {shortened(value)}", tried, case)
    return ProgramVerdict(True, tried=tried)


class _Runner:
    """Runs one function for many inputs, within `MAX_STEPS` in all."""

    def __init__(self, program: Program, function: str, bounds: Bounds) -> None:
        self._program = program
        self._function = function
        self._bounds = bounds
        self._left = MAX_STEPS

    def run(self, arguments: Sequence[Value]) -> Value | Fault:
        bounds = replace(self._bounds, steps=min(self._bounds.steps, self._left))
        value, steps = measured_run(self._program, arguments, bounds, self._function)
        self._left -= steps
        return value
