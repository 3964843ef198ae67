"""Whole numbers: signed sums, products and long division. `expressions` has the expressions with brackets.

Each step is one operation.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.working import multiplication, worked_division
from tuili.tasks.content import Content, Slot


@dataclass(frozen=True, kw_only=True)
class ArithmeticLevel(LevelSpec):
    """The length of the calculations of a level and the size of their numbers."""

    terms: Bounds
    """The number of terms in a sum."""
    term_digits: Bounds
    """The number of digits of each term."""
    factor_digits: tuple[int, int]
    """The numbers of digits of the two factors of a product, in either order."""
    dividend_digits: Bounds
    divisor_digits: int
    operators: Bounds
    """The number of operators in an expression with brackets."""
    max_number: int
    """The largest number in such an expression."""


LEVEL_SPECS = {
    1: ArithmeticLevel(
        terms=(2, 4),
        term_digits=(1, 2),
        factor_digits=(2, 1),
        dividend_digits=(2, 2),
        divisor_digits=1,
        operators=(2, 2),
        max_number=20,
    ),
    2: ArithmeticLevel(
        terms=(3, 5),
        term_digits=(1, 3),
        factor_digits=(2, 2),
        dividend_digits=(3, 3),
        divisor_digits=1,
        operators=(3, 3),
        max_number=50,
    ),
    3: ArithmeticLevel(
        terms=(5, 6),
        term_digits=(2, 4),
        factor_digits=(4, 3),
        dividend_digits=(4, 4),
        divisor_digits=1,
        operators=(4, 5),
        max_number=99,
    ),
    4: ArithmeticLevel(
        terms=(6, 8),
        term_digits=(3, 4),
        factor_digits=(4, 4),
        dividend_digits=(4, 5),
        divisor_digits=2,
        operators=(6, 7),
        max_number=99,
    ),
    5: ArithmeticLevel(
        terms=(8, 10),
        term_digits=(3, 4),
        factor_digits=(5, 4),
        dividend_digits=(5, 6),
        divisor_digits=2,
        operators=(8, 9),
        max_number=99,
    ),
}


def number(rng: random.Random, digits: int) -> int:
    """A random number with the given number of digits, never 0 or 1."""
    return rng.randint(max(2, 10 ** (digits - 1)), 10**digits - 1)


def signed_sum(rng: random.Random, spec: ArithmeticLevel) -> Content:
    """A signed sum, from left to right. From level 3 on, its running total may be negative."""
    count = rng.randint(*spec.terms)
    total = number(rng, rng.randint(*spec.term_digits))
    text, steps = str(total), []
    for _ in range(count - 1):
        term = number(rng, rng.randint(*spec.term_digits))
        sign = rng.choice("+-")
        if spec.terms[0] < 5 and term > total:
            sign = "+"
        result = total + term if sign == "+" else total - term
        text += f" {sign} {term}"
        steps.append(f"{total} {sign} {term} = {result}")
        total = result
    return Content("sum", {"expression": text}, tuple(steps), str(total))


def product(rng: random.Random, spec: ArithmeticLevel) -> Content:
    """A product of two numbers."""
    left, right = (number(rng, digits) for digits in rng.sample(spec.factor_digits, 2))
    steps = tuple(multiplication_steps(left, right))
    slots: dict[str, Slot] = {"expression": f"{left} * {right}", "left": left, "right": right}
    return Content("product", slots, steps, str(left * right))


def multiplication_steps(left: int, right: int) -> list[str]:
    """The steps of a product of positive numbers: partial products and their sums, or one line if that is enough."""
    return multiplication(left, right) or [f"{left} * {right} = {left * right}"]


def division(rng: random.Random, spec: ArithmeticLevel) -> Content:
    """A quotient with its remainder."""
    dividend = number(rng, rng.randint(*spec.dividend_digits))
    divisor = number(rng, spec.divisor_digits)
    whole, remainder = divmod(dividend, divisor)
    slots = {"dividend": dividend, "divisor": divisor, "quotient": whole, "remainder": remainder}
    return Content("division", slots, tuple(worked_division(dividend, divisor)), f"{whole} remainder {remainder}")
