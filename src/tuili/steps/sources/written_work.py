"""Rules of written work: how a number comes from traced ones although no step says so.

They cover the digits of a number in partial products and long division, quotients and divisors that are tried,
counting, and the next month. Each rule applies in only one place of a calculation, so that it does not let other
numbers through.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field
from fractions import Fraction

from tuili.steps.sources.numbers import Key
from tuili.steps.sources.places import DivisionLine, Place, Role
from tuili.steps.sources.reach import LARGEST_DIGIT, MAX_PLACES, Reach, divides, is_tried, place_values
from tuili.steps.sources.stated import COUNTING_DOWN, DOUBLING, PASSING, TRIAL_DIVISION

DIGITS, QUOTIENT, DIVISOR, COUNT, NEXT = "digits", "quotient", "divisor", "count", "next"
DOUBLE, DIFFERENCE = "double", "difference"
LASTING = frozenset({QUOTIENT, DIVISOR, COUNT, NEXT, DOUBLE, DIFFERENCE})
"""The rules whose numbers later steps may use. A digit counts only in its own place."""
_POWERS_OF_TEN = frozenset({0, *(10**power for power in range(7))})


@dataclass(frozen=True, slots=True)
class Derived:
    """The rule that derives a number from another number, the base."""

    rule: str
    base: int


@dataclass(frozen=True, slots=True)
class _Division:
    """A long division that has used the first digits of a number and has a remainder."""

    number: int
    used: int
    rest: int = 0

    def dividends(self) -> Iterator[int]:
        """The number that the next line divides: the remainder and the next digit. Nothing at the end."""
        digits = str(self.number)
        if self.used < len(digits):
            yield self.rest * 10 + int(digits[self.used])


@dataclass
class WrittenWork:
    """What the written work of a chain has reached: products, numbers C(n, k), and unfinished long divisions."""

    products: frozenset[tuple[int, int]] = frozenset()
    factors: frozenset[int] = frozenset()
    choices: frozenset[tuple[int, int]] = frozenset()
    last_product: int | None = None
    _divisions: list[_Division] = field(default_factory=list)

    def copy(self) -> WrittenWork:
        """A copy of this state that changes independently from here on."""
        return copy(self)

    def derive(self, place: Place, reach: Reach) -> Derived | None:
        """How the number in a place comes from traced ones, else None."""
        number = place.numeral.key
        if isinstance(number, tuple):
            return Derived(NEXT, number[1]) if reach.has_month_beside(number) else None
        if isinstance(number, Fraction) or number < 0:
            return None
        match place.role:
            case Role.FACTOR if place.other is not None:
                return self._factor(number, place.other, reach)
            case Role.DIVISOR | Role.MODULUS:
                return _divisor(number, place, reach)
            case Role.DIVIDEND:
                year = reach.year_of(number)
                return None if year is None else Derived(NEXT if number > year else DIGITS, year)
            case Role.MINUEND if place.other in (self.last_product, 0):
                division = self._division(number, reach)
                return Derived(DIGITS, division.number) if division else None
            case Role.BASE:
                base = reach.ending_trial_division(number) if TRIAL_DIVISION in reach.rules else None
                return None if base is None else Derived(DIVISOR, base)
            case Role.CHOSEN if place.other is not None:
                is_counted = number in (2, 3) or (place.other, number - 1) in self.choices
                return Derived(COUNT, number - 1) if is_counted else None
            case Role.TERM if PASSING in reach.rules and number:
                return next((Derived(DIFFERENCE, n) for n in reach.wholes() if n - number in reach.known), None)
        return None

    def divide(self, line: DivisionLine, reach: Reach) -> dict[Key, Derived]:
        """How the dividend of a long-division line comes from a traced number, and its divisor if that is tried.

        Empty if the line neither begins nor continues a division of a traced number.
        """
        division = self._division(line.dividend, reach)
        if division is None:
            return {}
        by_digits: dict[Key, Derived] = {line.dividend: Derived(DIGITS, division.number)}
        if reach.has(line.divisor):
            return by_digits
        may_try = is_tried if TRIAL_DIVISION in reach.rules else divides
        divisions = self._divisions_at(line.dividend, reach)
        tried = next((each.number for each in divisions if may_try(line.divisor, each.number)), None)
        return {} if tried is None else by_digits | {line.divisor: Derived(DIVISOR, tried)}

    def _factor(self, number: int, other: int, reach: Reach) -> Derived | None:
        is_of_a_unit = other in reach.constants and other not in _POWERS_OF_TEN
        if is_of_a_unit and (base := self._quotient(number, other, reach)):  # hours of 60 minutes are not digits
            return Derived(QUOTIENT, base)
        for base in reach.with_digits():
            if number in place_values(base):
                return Derived(DIGITS, base)
        if (other, number - 1) in self.products or (other, number + 1) in self.products:
            return Derived(COUNT, number - 1)
        if other and (base := self._quotient(number, other, reach)):
            return Derived(QUOTIENT, base)
        if number in reach.multipliers:
            return Derived(QUOTIENT, reach.multipliers[number])
        small, large = sorted((number, other))
        for base in reach.wholes():
            if TRIAL_DIVISION in reach.rules and small and base // small == large and is_tried(small, base):
                return Derived(DIVISOR, base)
            if COUNTING_DOWN in reach.rules and (number == base - 1 or number in place_values(base - 1)):
                return Derived(COUNT, base)
        return None

    def _quotient(self, number: int, other: int, reach: Reach) -> int | None:
        """A traced number whose quotient is `number`, by `other` or by a number in which `other` is a digit's value.

        If the divisor has several digits, the dividend may be that of a long-division line.
        """
        bases = reach.wholes()
        divisors = [base for base in bases if base == other or (base > other and other in place_values(base))]
        if other in reach.constants:
            divisors.append(other)
        if other > LARGEST_DIGIT and reach.has(other):
            for division in self._divisions:
                if any(dividend // other == number for dividend in division.dividends()):
                    return division.number
            for base in bases:
                digits = str(base)
                if any(int(digits[:used]) // other == number for used in range(2, len(digits))):
                    return base
        for base in bases:
            for by in divisors:
                if base // by == number or (by == other and number in place_values(base // by)):
                    return base
        return None

    def _division(self, dividend: int, reach: Reach) -> _Division | None:
        """The division that a dividend continues or begins, with its digits used; None if there is none."""
        return next(self._divisions_at(dividend, reach), None)

    def _divisions_at(self, dividend: int, reach: Reach) -> Iterator[_Division]:
        for division in self._divisions:
            if dividend in division.dividends():
                yield _Division(division.number, division.used + 1)
        digits = str(dividend)
        if dividend > 0 and len(digits) <= MAX_PLACES:
            for base in reach.with_digits():
                if str(base).startswith(digits):
                    yield _Division(base, len(digits))

    def note_rest(self, dividend: int, rest: int, reach: Reach) -> None:
        """Records what a line of a long division leaves."""
        reached = self._divisions_at(dividend, reach)
        self._divisions = [_Division(division.number, division.used, rest) for division in reached]

    def note_product(self, left: int, right: int) -> None:
        """Records a product of two whole numbers."""
        self.products |= {(left, right), (right, left)}
        self.factors |= {left, right}
        self.last_product = left * right

    def note_choice(self, total: int, chosen: int) -> None:
        """Records a number C(n, k)."""
        self.choices |= {(total, chosen)}

    def has_multiplied(self, number: Key) -> bool:
        """Whether the values of all digits of a number were factors."""
        return (
            isinstance(number, int) and LARGEST_DIGIT < number < 10**MAX_PLACES and place_values(number) <= self.factors
        )


def _divisor(number: int, place: Place, reach: Reach) -> Derived | None:
    """How a divisor is tried: a digit that divides a traced number, a prime up to its root, or twice a coefficient."""
    dividend = place.other
    if dividend and number and reach.has(dividend):
        may_try = is_tried if place.role is Role.MODULUS and TRIAL_DIVISION in reach.rules else divides
        if may_try(number, dividend):
            return Derived(DIVISOR, dividend)
    if DOUBLING in reach.rules and number % 2 == 0 and number // 2 in reach.known:
        return Derived(DOUBLE, number // 2)
    return None
