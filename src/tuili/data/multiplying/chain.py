"""Steps as calculations whose numbers can be replaced: `48 / 2 = 24` has the numbers 48 and 2 and a result.

This module knows only `+ - * /`, signs and percent signs. `tracing` decides where each number comes from; the checker
decides whether a new step holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from tuili.steps import parse, render, terms

_BINARY = frozenset("+-*/")
_UNARY = frozenset("-%")
_MAX_PLACES = 6

Exact: TypeAlias = int | Fraction
"""A number for calculations. Whole numbers are integers, which are several times as fast."""


@dataclass(frozen=True, slots=True)
class Calculation:
    """One step. `program` is the left side in postfix: indices into `numbers`, and operators."""

    left: terms.Term
    numbers: tuple[terms.Number, ...]
    program: tuple[int | str, ...]
    result: terms.Number
    added: frozenset[int]
    """The indices of numbers that are added or subtracted: such numbers are rarely units."""

    def work_out(self, values: Sequence[Exact]) -> Iterator[Exact]:
        """Yield the value of every operation, in order, with other numbers. Raises `ZeroDivisionError`."""
        stack = list[Exact]()
        for part in self.program:
            if isinstance(part, int):
                stack.append(values[part])
                continue
            right = stack.pop()
            match part:
                case "neg":
                    value = -right
                case "%":
                    value = exact(Fraction(right) / 100)
                case "+":
                    value = exact(stack.pop() + right)
                case "-":
                    value = exact(stack.pop() - right)
                case "*":
                    value = exact(stack.pop() * right)
                case _:
                    value = _quotient(stack.pop(), right)
            stack.append(value)
            yield value

    def rewritten(self, values: Sequence[Exact], result: Exact) -> str:
        """Write the step with other numbers and their result."""
        literals = iter([written_like(value, number) for value, number in zip(values, self.numbers, strict=True)])
        return render(
            terms.Claim(terms.Compare(_replaced(self.left, literals), (("=", written_like(result, self.result)),)))
        )


def read_calculation(step: str) -> Calculation | None:
    """Read a step as a calculation; None for anything else, such as `12 = 12`, which hides the origin of 12."""
    match parse(step):
        case terms.Claim(relation=terms.Compare(first=left, rest=(("=", terms.Number() as result),))):
            numbers, program, added = list[terms.Number](), list[int | str](), set[int]()
            if _read(left, numbers, program, added) and len(program) > 1:
                return Calculation(left, tuple(numbers), tuple(program), result, frozenset(added))
    return None


def exact(value: Exact) -> Exact:
    """The same number, as an integer if it is whole."""
    return value if isinstance(value, int) or value.denominator != 1 else value.numerator


def _quotient(dividend: Exact, divisor: Exact) -> Exact:
    if isinstance(dividend, int) and isinstance(divisor, int) and dividend % divisor == 0:
        return dividend // divisor
    return exact(Fraction(dividend) / divisor)


def decimal_places(value: Exact) -> int | None:
    """The number of decimal places that write a number exactly; None if too many would be needed."""
    return next((places for places in range(_MAX_PLACES + 1) if 10**places % value.denominator == 0), None)


def written_like(value: Exact, number: terms.Number) -> terms.Number:
    """A number with as few places as possible, or two if the other has two without need, as prices do."""
    if value == number.value:
        return number
    places = decimal_places(value)
    assert places is not None
    needed = decimal_places(number.value)
    as_price = needed is not None and number.places == 2 and needed < 2
    return terms.Number(Fraction(value), max(places, 2) if as_price else places)


def _read(
    term: terms.Term, numbers: list[terms.Number], program: list[int | str], added: set[int], is_added: bool = False
) -> bool:
    match term:
        case terms.Number():
            if is_added:
                added.add(len(numbers))
            program.append(len(numbers))
            numbers.append(term)
            return True
        case terms.Unary(op=op, operand=operand) if op in _UNARY:
            known = _read(operand, numbers, program, added)
            program.append("neg" if op == "-" else op)
            return known
        case terms.Binary(op=op, left=left, right=right) if op in _BINARY:
            known = _read(left, numbers, program, added, op == "+")
            known = known and _read(right, numbers, program, added, op in "+-")
            program.append(op)
            return known
    return False


def _replaced(term: terms.Term, literals: Iterator[terms.Number]) -> terms.Term:
    match term:
        case terms.Unary(op=op, operand=operand):
            return terms.Unary(op, _replaced(operand, literals))
        case terms.Binary(op=op, left=left, right=right):
            first = _replaced(left, literals)
            return terms.Binary(op, first, _replaced(right, literals))
    return next(literals)
