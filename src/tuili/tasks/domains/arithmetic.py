"""Integer arithmetic: signed sums, products, long division, and expressions with brackets.

Each step is one operation on whole numbers. Fractions are left to `fractions`, powers to `number_theory`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tuili.tasks.building.levels import Bounds, LevelSpec
from tuili.tasks.building.wording import COMPUTE
from tuili.tasks.building.working import exact_division, long_division, multiplication
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain


@dataclass(frozen=True, kw_only=True)
class ArithmeticLevel(LevelSpec):
    """How long and how large the calculations of a level are."""

    terms: Bounds
    """Terms of a sum."""
    term_digits: Bounds
    """Digits of each term."""
    factor_digits: tuple[int, int]
    """Digits of the two factors of a product, which come in either order."""
    dividend_digits: Bounds
    divisor_digits: int
    operators: Bounds
    """Operators of an expression with brackets."""
    max_number: int
    """The largest number written in such an expression."""


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


@domain("arithmetic", phase=2)
class Arithmetic:
    """Sums, products, quotients with remainder and bracketed expressions of whole numbers."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        spec = LEVEL_SPECS[level]
        return rng.choice((_sum, _product, _division, _expression))(rng, spec)


def _sum(rng: random.Random, spec: ArithmeticLevel) -> Draft:
    """A signed sum from left to right. From level 3 on its running total may be negative."""
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
    return Draft(rng.choice(COMPUTE).format(text), tuple(steps), str(total))


def _product(rng: random.Random, spec: ArithmeticLevel) -> Draft:
    left, right = (number(rng, digits) for digits in rng.sample(spec.factor_digits, 2))
    steps = tuple(multiplication_steps(left, right))
    return Draft(rng.choice(COMPUTE).format(f"{left} * {right}"), steps, str(left * right))


def multiplication_steps(left: int, right: int) -> list[str]:
    """The steps of a product of positive numbers: partial products and their sums, or one line where that is enough."""
    return multiplication(left, right) or [f"{left} * {right} = {left * right}"]


def _division(rng: random.Random, spec: ArithmeticLevel) -> Draft:
    dividend = number(rng, rng.randint(*spec.dividend_digits))
    divisor = number(rng, spec.divisor_digits)
    whole, remainder = divmod(dividend, divisor)
    wording = rng.choice(("Divide {} by {}.", "What is {} divided by {}?")).format(dividend, divisor)
    prompt = f"{wording} Answer like 12 remainder 3."
    return Draft(prompt, tuple(division_steps(dividend, divisor)), f"{whole} remainder {remainder}")


def division_steps(dividend: int, divisor: int) -> list[str]:
    """The steps of a long division, one digit of the quotient after the other, and then the whole division."""
    whole = f"{dividend} = {divisor} * {dividend // divisor} + {dividend % divisor}"
    if divisor < 10:
        steps = long_division(dividend, divisor)
        return steps if steps == [whole] else [*steps, whole]
    steps, rest = [], 0
    for digit in str(dividend):
        here = rest * 10 + int(digit)
        part, rest = divmod(here, divisor)
        if part or steps:
            steps += [f"{divisor} * {part} = {here - rest}", f"{here} - {here - rest} = {rest}"]
    return [*steps, whole]


@dataclass(frozen=True)
class Node:
    """A number (without operator) or an operation on two nodes. `value` is its value."""

    value: int
    operator: str = ""
    parts: tuple[Node, ...] = ()

    def __str__(self) -> str:
        if not self.parts:
            return str(self.value)
        left, right = self.parts
        precedence = PRECEDENCE[self.operator]
        left_text = f"({left})" if PRECEDENCE[left.operator] < precedence else str(left)
        right_text = f"({right})" if PRECEDENCE[right.operator] <= precedence else str(right)
        return f"{left_text} {self.operator} {right_text}"

    def steps(self) -> list[str]:
        """The steps of the operations, from left to right and inner ones first."""
        if not self.parts:
            return []
        left, right = self.parts
        before = left.steps() + right.steps()
        if self.operator == "*":
            return before + multiplication_steps(left.value, right.value)
        if self.operator == "/":
            before += exact_division(left.value, right.value)
        return [*before, f"{left.value} {self.operator} {right.value} = {self.value}"]


PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "": 3}


def _expression(rng: random.Random, spec: ArithmeticLevel) -> Draft:
    operators = rng.randint(*spec.operators)
    node = _node(rng, operators, spec.max_number)
    while node.value < 2:
        node = _node(rng, operators, spec.max_number)
    return Draft(rng.choice(COMPUTE).format(node), tuple(node.steps()), str(node.value))


def _node(rng: random.Random, operators: int, largest: int) -> Node:
    """A random expression with the given number of operators. The value of every part is a positive whole number."""
    if operators == 0:
        return Node(rng.randint(2, rng.choice((9, largest))))
    on_left = rng.randrange(operators)
    left, right = _node(rng, on_left, largest), _node(rng, operators - 1 - on_left, largest)
    for operator in rng.sample("+-*/", 4):
        match operator:
            case "+":
                return Node(left.value + right.value, operator, (left, right))
            case "-" if left.value > right.value:
                return Node(left.value - right.value, operator, (left, right))
            case "*" if 1 < min(left.value, right.value) < 10 and max(left.value, right.value) < 100:
                return Node(left.value * right.value, operator, (left, right))
            case "/" if 1 < right.value < 10 and left.value % right.value == 0:
                return Node(left.value // right.value, operator, (left, right))
    raise AssertionError("a sum is always possible")
