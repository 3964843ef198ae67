"""Integer arithmetic: signed sums, products by partial products, long division, and expressions with brackets.

Every step is one operation on numbers of at most a few digits. Fractions and powers are left to `fractions` and
`number_theory`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tuili.tasks.problem import Draft
from tuili.tasks.registry import domain

OPERATIONS = ("Compute {}.", "What is {}?", "Work out {}.", "Calculate {}.")


@dataclass(frozen=True)
class _Rung:
    """What a level draws from: terms and digits of sums, digits of products and division, operators in an expression."""

    terms: tuple[int, int]
    term_digits: tuple[int, int]
    factor_digits: tuple[int, int]
    dividend_digits: tuple[int, int]
    divisor_digits: int
    operators: tuple[int, int]


RUNGS = {
    1: _Rung((2, 4), (1, 2), (2, 1), (2, 2), 1, (2, 2)),
    2: _Rung((3, 5), (1, 3), (2, 2), (3, 3), 1, (3, 3)),
    3: _Rung((5, 6), (2, 4), (3, 2), (4, 4), 1, (4, 5)),
    4: _Rung((6, 8), (3, 4), (3, 3), (4, 5), 2, (6, 7)),
    5: _Rung((8, 10), (3, 4), (4, 3), (5, 6), 2, (8, 9)),
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
    return Draft(rng.choice(OPERATIONS).format(text), tuple(steps), str(total))


def _product(rng: random.Random, rung: _Rung) -> Draft:
    left, right = (number(rng, digits) for digits in rng.sample(rung.factor_digits, 2))
    return Draft(rng.choice(OPERATIONS).format(f"{left} * {right}"), tuple(multiply(left, right)), str(left * right))


def multiply(left: int, right: int) -> list[str]:
    """Steps of a product of positive numbers: partial products of the places of one factor, then their sum.

    The shorter factor is split, or the longer one when the other has a single digit. The times table up to 9 * 12 is
    known by heart.
    """
    short, long = sorted((left, right))
    if short < 10 and long <= 12:
        return [f"{left} * {right} = {left * right}"]
    split, whole = (long, short) if short < 10 else (short, long)
    digits = str(split)
    places = [int(digit) * 10 ** (len(digits) - at) for at, digit in enumerate(digits, start=1) if digit != "0"]
    if len(places) == 1:
        return [f"{left} * {right} = {left * right}"]
    first, second = (whole, "{}") if short >= 10 else ("{}", whole)
    steps = [f"{first} * {second} = {whole * place}".format(place) for place in places]
    total = whole * places[0]
    for place in places[1:-1]:
        steps.append(f"{total} + {whole * place} = {total + whole * place}")
        total += whole * place
    steps.append(f"{left} * {right} = {total} + {whole * places[-1]} = {left * right}")
    return steps


def _division(rng: random.Random, rung: _Rung) -> Draft:
    dividend = number(rng, rng.randint(*rung.dividend_digits))
    divisor = number(rng, rung.divisor_digits)
    quotient, remainder = divmod(dividend, divisor)
    wording = rng.choice(
        ("Divide {} by {}. Answer like 12 remainder 3.", "What is {} divided by {}? Answer like 12 remainder 3.")
    )
    answer = f"{quotient} remainder {remainder}"
    return Draft(wording.format(dividend, divisor), tuple(divide(dividend, divisor)), answer)


def divide(dividend: int, divisor: int) -> list[str]:
    """Steps of a long division, one digit of the quotient after the other, and the division as a whole."""
    steps, rest = [], 0
    for digit in str(dividend):
        here = rest * 10 + int(digit)
        quotient, rest = divmod(here, divisor)
        if quotient and divisor < 10:
            steps.append(f"{here} = {divisor} * {quotient} + {rest}")
        elif quotient:
            steps += [f"{divisor} * {quotient} = {here - rest}", f"{here} - {here - rest} = {rest}"]
    quotient, rest = divmod(dividend, divisor)
    whole = f"{dividend} = {divisor} * {quotient} + {rest}"
    return steps if steps[-1:] == [whole] else [*steps, whole]


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
        """The operations in the order in which they can be done, from left to right and from the inside out."""
        if not self.parts:
            return []
        left, right = self.parts
        before = left.steps() + right.steps()
        if self.operator == "*":
            return before + multiply(left.value, right.value)
        return [*before, f"{left.value} {self.operator} {right.value} = {self.value}"]


PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "": 3}


def _expression(rng: random.Random, rung: _Rung) -> Draft:
    operators = rng.randint(*rung.operators)
    node = _node(rng, operators)
    while node.value < 2:
        node = _node(rng, operators)
    return Draft(rng.choice(OPERATIONS).format(node), tuple(node.steps()), str(node.value))


def _node(rng: random.Random, operators: int) -> Node:
    """A random expression with so many operators, whose every part is a small whole number that is not negative."""
    if operators == 0:
        return Node(rng.randint(2, 20))
    on_left = rng.randrange(operators)
    left, right = _node(rng, on_left), _node(rng, operators - 1 - on_left)
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
