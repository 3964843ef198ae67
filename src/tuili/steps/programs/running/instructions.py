"""Turns expressions into instructions, which the machine executes without recursion.

`calculation` and `control`, which execute the instructions, say what each takes from the stack and leaves there.
`writer` turns statements into instructions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tuili.steps.programs.language import terms
from tuili.steps.programs.language.terms import Expression


class Instruction(NamedTuple):
    """An operation with its data. `number`: how many operands, or which loop. `target`: where a jump goes."""

    operation: str
    line: int
    name: str = ""
    number: int = 0
    target: int = 0
    value: int | bool | None = None


@dataclass(frozen=True)
class Code:
    """A function as instructions. `variables`: every name to which it gives a value, including its parameters."""

    name: str
    parameters: tuple[str, ...]
    variables: frozenset[str]
    instructions: tuple[Instruction, ...]


class ExpressionWriter:
    """Writes the instructions of expressions, one after another."""

    def __init__(self) -> None:
        self.written: list[Instruction] = []

    def add(self, operation: str, line: int, name: str = "", number: int = 0, target: int = 0) -> int:
        """Writes an instruction, and returns its position."""
        self.written.append(Instruction(operation, line, name, number, target))
        return len(self.written) - 1

    def land(self, *places: int) -> None:
        """Makes the jumps at these positions go to what is written next."""
        for place in places:
            self.written[place] = self.written[place]._replace(target=len(self.written))

    def expressions(self, expressions: tuple[Expression, ...]) -> None:
        for expression in expressions:
            self.expression(expression)

    def expression(self, term: Expression) -> None:
        line = term.line
        match term:
            case terms.Constant():
                self.written.append(Instruction("constant", line, value=term.value))
            case terms.Name():
                self.add("load", line, term.id)
            case terms.ListOf():
                self.expressions(term.items)
                self.add("list", line, number=len(term.items))
            case terms.Unary():
                self.expression(term.operand)
                self.add("unary", line, term.operator)
            case terms.Binary():
                self.expressions((term.left, term.right))
                self.add("binary", line, term.operator)
            case terms.Comparison():
                self._comparison(term)
            case terms.Logical():
                self.expression(term.left)
                skip = self.add(f"jump from {term.operator}", line)
                self.expression(term.right)
                self.land(skip)
            case terms.Conditional():
                self.expression(term.condition)
                otherwise = self.add("jump if false", line)
                self.expression(term.then)
                end = self.add("jump", line)
                self.land(otherwise)
                self.expression(term.otherwise)
                self.land(end)
            case terms.Index():
                self.expressions((term.base, term.index))
                self.add("element", line)
            case terms.Slice():
                self.expressions((term.base, term.start, term.stop, term.step))
                self.add("slice", line)
            case terms.Call():
                self.add("resolve", line, term.function)
                self.expressions(term.arguments)
                self.add("call", line, term.function, len(term.arguments))
            case terms.Method():
                self.expression(term.base)
                self.add("method", line, term.method)
                self.expressions(term.arguments)
                self.add("call method", line, term.method, len(term.arguments))

    def _comparison(self, term: terms.Comparison) -> None:
        self.expression(term.first)
        skips: list[int] = []
        for number, (operator, operand) in enumerate(term.rest, start=1):
            self.expression(operand)
            if number == len(term.rest):
                self.add("compare", term.line, operator)
            else:
                self.add("copy", term.line, number=1)
                self.add("bury", term.line, number=3)  # the right operand goes under both
                self.add("compare", term.line, operator)
                skips.append(self.add("jump from and", term.line))
        if skips:
            end = self.add("jump", term.line)
            self.land(*skips)
            self.add("bury", term.line, number=2)
            self.add("drop", term.line)
            self.land(end)
