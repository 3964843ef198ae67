"""Where the numbers of a claim stand: as factor, divisor or dividend, so that rules of written work can apply.

`written_work` decides which rule makes a number traced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tuili.steps.language import terms
from tuili.steps.language.terms import Term
from tuili.steps.sources.numbers import Numeral, numerals


class Role(StrEnum):
    """The role of a number in its operation."""

    PLAIN = "plain"
    FACTOR = "factor"
    DIVIDEND = "dividend"
    DIVISOR = "divisor"
    MODULUS = "modulus"
    MINUEND = "minuend"
    TERM = "term"
    BASE = "base"
    CHOSEN = "chosen"


class Place(NamedTuple):
    """A number of a claim, its role, and the other operand if that is a whole number."""

    numeral: Numeral
    role: Role = Role.PLAIN
    other: int | None = None


_ROLES = {
    "*": (Role.FACTOR, Role.FACTOR),
    "/": (Role.DIVIDEND, Role.DIVISOR),
    "mod": (Role.DIVIDEND, Role.MODULUS),
    "div": (Role.DIVIDEND, Role.MODULUS),
    "+": (Role.TERM, Role.TERM),
    "-": (Role.MINUEND, Role.PLAIN),
    "^": (Role.BASE, Role.PLAIN),
}


def places(term: Term, role: Role = Role.PLAIN, other: int | None = None) -> Iterator[Place]:
    """The numbers of a term, from left to right, each with its role."""
    match term:
        case terms.Unary(operand=operand):
            yield from places(operand, role, other)
        case terms.Binary(op=op, left=left, right=right) if op in _ROLES:
            yield from places(left, _ROLES[op][0], whole(right))
            yield from places(right, _ROLES[op][1], whole(left))
        case terms.Call(function="C", arguments=(total, chosen)):
            yield from places(total)
            yield from places(chosen, Role.CHOSEN, whole(total))
        case (
            terms.Number()
            | terms.Ratio()
            | terms.Measure()
            | terms.Day()
            | terms.Month()
            | terms.Clock()
            | terms.WeekdayName()
        ):
            yield from (Place(numeral, role, other) for numeral in numerals(term))
        case _:
            for child in terms.children(term):
                yield from places(child)


def whole(term: Term) -> int | None:
    """The whole number that a term is, ignoring its unit and its sign, else None."""
    match term:
        case terms.Number(value=value) | terms.Measure(number=terms.Number(value=value)):
            return value.numerator if value.denominator == 1 else None
        case terms.Unary(op="-", operand=operand):
            return whole(operand)
        case terms.Binary(op="*", left=left, right=right):  # in `7 * 6 / 2` the product is the dividend
            factors = whole(left), whole(right)
            return None if factors[0] is None or factors[1] is None else factors[0] * factors[1]
    return None


@dataclass(frozen=True, slots=True)
class DivisionLine:
    """A line of a long division: `43 = 5 * 8 + 3`."""

    dividend: int
    divisor: int
    quotient: int
    rest: int


def division_line(relation: terms.Compare | terms.Binary) -> DivisionLine | None:
    """A relation as a line of a long division, else None."""
    match relation:
        case terms.Compare(first, (("=", terms.Binary("+", terms.Binary("*", divisor, quotient), rest)),)):
            numbers = tuple(map(_bare, (first, divisor, quotient, rest)))
            if None not in numbers:
                return DivisionLine(*(number for number in numbers if number is not None))
    return None


def _bare(term: Term) -> int | None:
    match term:
        case terms.Number(value=value) if value.denominator == 1:
            return value.numerator
    return None
