"""The small language of traced programs: each labelled line holds one statement with its body.

Statements are `x = expr`, `x += expr` (also `-=`, `*=`), `if cond: stmt`, `while cond: stmt` and `for i in range(a, b):
stmt`. Expressions are those of the step language. `theories.interpreter` runs programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from tuili.steps.language.parser import Parser
from tuili.steps.language.terms import Binary, Name, Number, Term


@dataclass(frozen=True, slots=True)
class Assign:
    """`x = expr`; `x += expr` is read as `x = x + expr`."""

    name: str
    value: Term


@dataclass(frozen=True, slots=True)
class If:
    """`if cond: stmt`"""

    condition: Term
    body: Statement


@dataclass(frozen=True, slots=True)
class While:
    """`while cond: stmt`"""

    condition: Term
    body: Statement


@dataclass(frozen=True, slots=True)
class For:
    """`for i in range(start, stop): stmt`"""

    name: str
    start: Term
    stop: Term
    body: Statement


Statement: TypeAlias = Assign | If | While | For


class _ProgramParser(Parser):
    def line(self) -> Statement:
        statement = self._statement()
        self.finish()
        return statement

    def _statement(self) -> Statement:
        self.descend()
        if self.accept("if"):
            return If(self._condition(), self._statement())
        if self.accept("while"):
            return While(self._condition(), self._statement())
        if self.accept("for"):
            return self._for()
        name = self.name()
        operator = next((op for op in "+-*" if self.accept(op)), None)
        self.expect("=")
        value = self.expression()
        return Assign(name, Binary(operator, Name(name), value) if operator else value)

    def _condition(self) -> Term:
        condition = self.expression()
        self.expect(":")
        return condition

    def _for(self) -> For:
        name = self.name()
        for word in ("in", "range", "("):
            self.expect(word)
        start: Term = Number(Fraction(0))
        stop = self.expression()
        if self.accept(","):
            start, stop = stop, self.expression()
        self.expect(")")
        self.expect(":")
        return For(name, start, stop, self._statement())


@lru_cache(maxsize=256)
def parse_program_line(source: str) -> Statement:
    """The statement of one program line. Raises `Unreadable`."""
    return _ProgramParser(source).line()


def assigned_names(statement: Statement) -> frozenset[str]:
    """Every variable to which a statement may give a value."""
    match statement:
        case Assign():
            return frozenset((statement.name,))
        case For():
            return assigned_names(statement.body) | {statement.name}
        case If() | While():
            return assigned_names(statement.body)
