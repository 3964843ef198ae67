"""Programming: the problem asks for a small function that does a given task.

The chain works out one example as the program does, and the answer is the program, in the language of
`tuili.steps.programs`. A program is right if it gives the right values for inputs that the prompt does not show, or
for all inputs if there are few. The tasks are in `building/program_families.yaml`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import prod

from tuili.errors import TuiliError
from tuili.steps import programs
from tuili.tasks.building.program_families import FUNCTION, Family, Values, program_families
from tuili.tasks.content import Clause, Clauses, Content
from tuili.tasks.registry import domain

FUNCTION_NAMES = ("f", "g", "h", "q", "fn")
NUMBER_NAMES = ("b", "c", "d", "k", "m", "n", "p", "u", "v", "w")
LIST_NAMES = ("xs", "ys", "zs", "nums", "items", "values")
EXAMPLES = 2
"""The number of examples in a prompt. The chain works out the first one."""
SMALL_DOMAIN = 300
"""The largest number of inputs that are all tried; if there are more, `HIDDEN` of them are tried."""
HIDDEN = 24
MAX_LINES = 44
"""The maximum number of lines in a chain."""
MAX_DRAWS = 20
"""How often a further example is drawn before its value may equal another example's."""


class TooLong(TuiliError):
    """A drawn example takes too many steps to work out, takes none, or shows little."""


@domain("programming", phase=3)
class Programming:
    """One expression at level 1, branches at 2, one loop at 3, lists at 4, nested loops and calls at 5."""

    def sample(self, rng: random.Random, level: int) -> Content:
        family = rng.choice([family for family in program_families() if family.level == level])
        while True:
            try:
                return _content(rng, family)
            except TooLong:
                continue


def _content(rng: random.Random, family: Family) -> Content:
    name = rng.choice(FUNCTION_NAMES)
    parameters = _parameter_names(rng, family)
    constants = {letter: str(values.draw(rng)) for letter, values in family.constants.items()}
    source = family.written({FUNCTION: name, **parameters, **constants})
    program = programs.parse_program(source)
    examples, steps = _examples(rng, family, program)
    numbers = [values for values in family.takes.values() if values.lengths is None]
    is_small = numbers == [*family.takes.values()] and prod(one.high - one.low + 1 for one in numbers) <= SMALL_DOMAIN
    slots = {**parameters, **{letter.lower(): number for letter, number in constants.items()}}
    specification = programs.Specification(
        name,
        examples,
        () if is_small else tuple(_arguments(rng, family.takes) for _ in range(HIDDEN)),
        tuple(programs.Integers(one.low, one.high) for one in numbers) if is_small else (),
        source,
    )
    return Content(
        "program",
        {
            "name": name,
            "arguments": ", ".join(parameters.values()),
            "signature": f"{name}({', '.join(parameters.values())})",
            "task": Clause(family.name, source, slots),
            "examples": Clauses(tuple(Clause("example", f"{name}{case}") for case in examples), ordered=True),
        },
        steps,
        source,
        specification=specification,
    )


def _examples(
    rng: random.Random, family: Family, program: programs.Program
) -> tuple[tuple[programs.Case, ...], tuple[str, ...]]:
    """The examples in the prompt, and the steps of the first one, whose value is not 0 or an empty list.

    Their values differ, unless such examples are hard to draw. Raises `TooLong` for an unsuitable first example.
    """
    arguments = _arguments(rng, family.example)
    examples = [programs.Case(arguments, _value(program, arguments))]
    steps = programs.retell(program, arguments)
    if not 0 < len(steps) <= MAX_LINES or examples[0].value in (0, []):
        raise TooLong
    for draw in range(MAX_DRAWS):
        arguments = _arguments(rng, family.takes)
        value = _value(program, arguments)
        if value not in [case.value for case in examples] or draw == MAX_DRAWS - 1:
            examples.append(programs.Case(arguments, value))
        if len(examples) == EXAMPLES:
            break
    return tuple(examples), steps


def _parameter_names(rng: random.Random, family: Family) -> dict[str, str]:
    """A drawn name for each parameter; the program uses none of these names for something else."""
    drawn: dict[str, str] = {}
    for parameter, values in family.takes.items():
        names = NUMBER_NAMES if values.lengths is None else LIST_NAMES
        taken = (family.words - family.takes.keys()) | set(drawn.values()) | set(FUNCTION_NAMES)
        drawn[parameter] = rng.choice([name for name in names if name not in taken])
    return drawn


def _arguments(rng: random.Random, takes: Mapping[str, Values]) -> tuple[programs.Value, ...]:
    return tuple(values.draw(rng) for values in takes.values())


def _value(program: programs.Program, arguments: tuple[programs.Value, ...]) -> programs.Value:
    value = programs.run(program, arguments)
    assert not isinstance(value, programs.Fault), f"the program of a family faults: {value}"
    return value
