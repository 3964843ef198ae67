"""Expressions of whole numbers with brackets, worked out from left to right and from the inside out."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tuili.tasks.building.working import exact_division
from tuili.tasks.content import Content
from tuili.tasks.domains.arithmetic.whole_numbers import ArithmeticLevel, multiplication_steps


@dataclass(frozen=True)
class Node:
    """A number (without an operator) or an operation on two nodes. `value` is its value."""

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
        """The steps of the operations, from left to right and inner operations first."""
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


def expression(rng: random.Random, spec: ArithmeticLevel) -> Content:
    """The value of a bracketed expression."""
    operators = rng.randint(*spec.operators)
    node = _node(rng, operators, spec.max_number)
    while node.value < 2:
        node = _node(rng, operators, spec.max_number)
    return Content("expression", {"expression": str(node)}, tuple(node.steps()), str(node.value))


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
