"""Integer arithmetic: signed sums, products, long division, and expressions with brackets.

Every step is one operation on numbers of at most a few digits. Fractions and powers are left to `fractions`
and `number_theory`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tuili.tasks.building import working
from tuili.tasks.building.wording import COMPUTE
from tuili.tasks.building.working import quotient
from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain


@dataclass(frozen=True)
class _Rung:
    """What a level draws from: sums, the digits of two factors, divisions, and expressions."""

    terms: tuple[int, int]
    term_digits: tuple[int, int]
    factor_digits: tuple[int, int]
    dividend_digits: tuple[int, int]
    divisor_digits: int
    operators: tuple[int, int]
    largest: int


RUNGS = {
    1: _Rung((2, 4), (1, 2), (2, 1), (2, 2), 1, (2, 2), 20),
    2: _Rung((3, 5), (1, 3), (2, 2), (3, 3), 1, (3, 3), 50),
    3: _Rung((5, 6), (2, 4), (4, 3), (4, 4), 1, (4, 5), 99),
    4: _Rung((6, 8), (3, 4), (4, 4), (4, 5), 2, (6, 7), 99),
    5: _Rung((8, 10), (3, 4), (5, 4), (5, 6), 2, (8, 9), 99),
}


def number(rng: random.Random, digits: int) -> int:
    """A number with exactly so many digits, never 0 or 1."""
    return rng.randint(max(2, 10 ** (digits - 1)), 10**digits - 1)


@domain("arithmetic", phase=2)
class Arithmetic:
    """Sums, products, quotients with remainder and bracketed expressions of whole numbers."""

    def sample(self, rng: random.Random, level: int) -> Draft:
        rung = RUNGS[level]
        return rng.choice((_sum, _product, _division, _expression))(rng, rung)


def _sum(rng: random.Random, rung: _Rung) -> Draft:
    """A signed sum from left to right; from level 3 on the running total may fall below zero."""
    count = rng.randint(*rung.terms)
    total = number(rng, rng.randint(*rung.term_digits))
    text, steps = str(total), []
    for _ in range(count - 1):
        term = number(rng, rng.randint(*rung.term_digits))
        sign = rng.choice("+-")
        if rung.terms[0] < 5 and term > total:
            sign = "+"
        result = total + term if sign == "+" else total - term
        text += f" {sign} {term}"
        steps.append(f"{total} {sign} {term} = {result}")
        total = result
    return Draft(rng.choice(COMPUTE).format(text), tuple(steps), str(total))


def _product(rng: random.Random, rung: _Rung) -> Draft:
    left, right = (number(rng, digits) for digits in rng.sample(rung.factor_digits, 2))
    steps = tuple(multiply(left, right))
    return Draft(rng.choice(COMPUTE).format(f"{left} * {right}"), steps, str(left * right))


def multiply(left: int, right: int) -> list[str]:
    """Steps of a product of positive numbers: partial products and their sum, or one line if enough."""
    return working.multiply(left, right) or [f"{left} * {right} = {left * right}"]


def _division(rng: random.Random, rung: _Rung) -> Draft:
    dividend = number(rng, rng.randint(*rung.dividend_digits))
    divisor = number(rng, rung.divisor_digits)
    quotient, remainder = divmod(dividend, divisor)
    wording = rng.choice(("Divide {} by {}.", "What is {} divided by {}?")).format(dividend, divisor)
    prompt = f"{wording} Answer like 12 remainder 3."
    return Draft(prompt, tuple(divide(dividend, divisor)), f"{quotient} remainder {remainder}")


def divide(dividend: int, divisor: int) -> list[str]:
    """Steps of a long division, one digit of the quotient after the other, and the division as a whole."""
    whole = f"{dividend} = {divisor} * {dividend // divisor} + {dividend % divisor}"
    if divisor < 10:
        steps = working.long_division(dividend, divisor)
        return steps if steps == [whole] else [*steps, whole]
    steps, rest = [], 0
    for digit in str(dividend):
        here = rest * 10 + int(digit)
        quotient, rest = divmod(here, divisor)
        if quotient or steps:
            steps += [f"{divisor} * {quotient} = {here - rest}", f"{here} - {here - rest} = {rest}"]
    return [*steps, whole]


@dataclass(frozen=True)
class Node:
    """A number (no operator) or an operation on two nodes; `value` is what it comes to."""

    value: int
    operator: str = ""
    parts: tuple[Node, ...] = ()

    def __str__(self) -> str:
        if not self.parts:
            return str(self.value)
        left, right = self.parts
        own = PRECEDENCE[self.operator]
        left_text = f"({left})" if PRECEDENCE[left.operator] < own else str(left)
        right_text = f"({right})" if PRECEDENCE[right.operator] <= own else str(right)
        return f"{left_text} {self.operator} {right_text}"

    def steps(self) -> list[str]:
        """The operations in the order in which they can be done, from left to right, inner ones first."""
        if not self.parts:
            return []
        left, right = self.parts
        before = left.steps() + right.steps()
        if self.operator == "*":
            return before + multiply(left.value, right.value)
        if self.operator == "/":
            before += quotient(left.value, right.value)
        return [*before, f"{left.value} {self.operator} {right.value} = {self.value}"]


PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "": 3}


def _expression(rng: random.Random, rung: _Rung) -> Draft:
    operators = rng.randint(*rung.operators)
    node = _node(rng, operators, rung.largest)
    while node.value < 2:
        node = _node(rng, operators, rung.largest)
    return Draft(rng.choice(COMPUTE).format(node), tuple(node.steps()), str(node.value))


def _node(rng: random.Random, operators: int, largest: int) -> Node:
    """A random expression with so many operators; every part comes to a positive whole number."""
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
