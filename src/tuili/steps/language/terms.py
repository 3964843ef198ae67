"""The typed syntax of the step language: what a line is once it has been parsed.

`parser` parses lines, `printer` prints them, and `values.evaluate` computes the value of a term.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tuili.steps.language.grammar import CONNECTIVES, MEMBERSHIP
from tuili.steps.language.units import Unit


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or decimal literal; `places` digits are written after the point."""

    value: Fraction
    places: int = 0


@dataclass(frozen=True, slots=True)
class Ratio:
    """A fraction as one literal, `3/4` without spaces. It is kept as written: `6/8` stays `6/8`."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with a unit: `3 kg`, `1/2 h`."""

    number: Number | Ratio
    unit: Unit


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar date as written. `2024-02-30` is a `Day` too, but has no value."""

    year: int
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Month:
    """A month as written, `2024-02`. Only the function `days_in` takes one."""

    year: int
    month: int


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day as written: `14:30` or, with seconds, `14:30:15`."""

    hour: int
    minute: int
    second: int | None = None


@dataclass(frozen=True, slots=True)
class WeekdayName:
    """`Monday` to `Sunday`."""

    name: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, an atom or the label of a premise."""

    id: str


@dataclass(frozen=True, slots=True)
class Unary:
    """`-` and `not` stand before their operand, `!` and `%` after it."""

    op: str
    operand: Term


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two terms."""

    op: str
    left: Term
    right: Term


@dataclass(frozen=True, slots=True)
class Compare:
    """A chain of relations: `a = b = c`, `1 < x <= 5`."""

    first: Term
    rest: tuple[tuple[str, Term], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A named function applied to arguments."""

    function: str
    arguments: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """A set `{1, 2}` or a list `[1, 2]`."""

    brackets: str
    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """The element of a list at a position counted from 0."""

    sequence: Term
    position: Term


@dataclass(frozen=True, slots=True)
class Categorical:
    """`all cats are pets`, `no a are b`, `some a are b`, `some a are not b`."""

    quantifier: str
    subject: str
    predicate: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """`sum(2*k - 1 for k from 1 to n)`: the sum over the integers from `low` to `high`, 0 if there are none."""

    body: Term
    variable: str
    low: Term
    high: Term


Literal: TypeAlias = Number | Ratio | Measure | Boolean | Day | Clock | WeekdayName
"""A term that writes out one value."""

Term: TypeAlias = Literal | Month | Name | Unary | Binary | Compare | Call | Collection | Index | Categorical | Sum


@dataclass(frozen=True, slots=True)
class Claim:
    """A relation that is claimed to hold."""

    relation: Compare | Binary


@dataclass(frozen=True, slots=True)
class Inference:
    """Premises (statements, or names of labelled facts) and the conclusion said to follow from them."""

    premises: tuple[Term, ...]
    conclusion: Term


@dataclass(frozen=True, slots=True)
class Trace:
    """What a program line does when it is executed once: an assignment or a decided condition."""

    label: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of `for all`; `low` is the least value that it takes, if there is one."""

    name: str
    low: int | None = None


@dataclass(frozen=True, slots=True)
class Universal:
    """`for all integers n >= 1: n mod 2 = 1 -> n^2 mod 2 = 1`: the hypotheses before `->`, and the conclusion.

    The variables take all integers, or else all real numbers.
    """

    variables: tuple[Variable, ...]
    integers: bool
    hypotheses: tuple[Compare, ...]
    conclusion: Compare


@dataclass(frozen=True, slots=True)
class Instance:
    """`n = 4: n^2 + 1 = 17 != 3 * n`: a relation that is claimed to hold for these values."""

    values: tuple[tuple[str, Term], ...]
    relation: Compare


@dataclass(frozen=True, slots=True)
class Prose:
    """A line outside the step language, with the reason why it cannot be read."""

    text: str
    reason: str


Step: TypeAlias = Claim | Inference | Trace | Universal | Instance | Prose


def is_boolean(term: Term) -> bool:
    """Whether a term is a truth value by its form alone."""
    match term:
        case Boolean() | Compare() | Categorical():
            return True
        case Unary(op="not"):
            return True
        case Binary(op=op):
            return op in CONNECTIVES or op in MEMBERSHIP
    return False


def children(term: Term) -> tuple[Term, ...]:
    """The direct parts of a term."""
    match term:
        case Unary():
            return (term.operand,)
        case Binary():
            return (term.left, term.right)
        case Compare():
            return (term.first, *(part for _, part in term.rest))
        case Call():
            return term.arguments
        case Collection():
            return term.items
        case Index():
            return (term.sequence, term.position)
        case Sum():
            return (term.body, term.low, term.high)
    return ()


def conjuncts(term: Term) -> list[Term]:
    """The parts that `and` joins."""
    match term:
        case Binary("and", left, right):
            return conjuncts(left) + conjuncts(right)
    return [term]


def links(relation: Compare) -> tuple[Compare, ...]:
    """The single relations of a chain: `a < b = c` holds if `a < b` and `b = c` do."""
    parts = (relation.first, *(part for _, part in relation.rest))
    return tuple(Compare(left, (link,)) for left, link in zip(parts, relation.rest, strict=False))


def operators(term: Term) -> tuple[str, ...]:
    """The operators at the top of a term: several in a chain of relations, none in a literal."""
    match term:
        case Unary() | Binary():
            return (term.op,)
        case Compare():
            return tuple(op for op, _ in term.rest)
    return ()


def names(term: Term) -> frozenset[str]:
    """Every name that occurs in a term, except those that a sum binds."""
    match term:
        case Name():
            return frozenset((term.id,))
        case Sum():
            return (names(term.body) - {term.variable}) | names(term.low) | names(term.high)
    return frozenset().union(*map(names, children(term)))
