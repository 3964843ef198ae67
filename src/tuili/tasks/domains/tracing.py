"""Program tracing: a short program of labelled lines is run by hand.

A trace has one line for each event, after the calculation that the event needs; its last line repeats the value that
is asked for. Programs are in the language of `tuili.steps`: assignments, `if`, `for`, `while`, one statement per line.
This module draws and runs programs; the checker decides whether a trace follows its program.
"""

from __future__ import annotations

import operator
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuili.errors import TuiliError
from tuili.tasks.building.wording import labelled
from tuili.tasks.building.words import VARIABLES
from tuili.tasks.content import Clause, Clauses, Content, Slot
from tuili.tasks.registry import domain

Bindings = dict[str, int]
APPLY: Mapping[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "mod": operator.mod,
    "div": operator.floordiv,
}
COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
MAX_VALUE = 999
"""The largest value of a variable, and the largest number of rounds of a `while` loop."""
EVENTS_BY_LEVEL = {1: (3, 4), 2: (5, 7), 3: (9, 14), 4: (14, 20), 5: (20, 28)}
"""The smallest and the largest number of events in a trace."""


class TooHard(TuiliError):
    """A drawn program is too long, or its numbers are outside the range that is easy to calculate with."""


def _value(operand: str | int, values: Bindings) -> int:
    return values[operand] if isinstance(operand, str) else operand


@dataclass(frozen=True)
class Expression:
    """Operands joined by operators. `*`, `mod` and `div` come first, so that evaluation runs from left to right."""

    first: str | int
    rest: tuple[tuple[str, str | int], ...] = ()

    def __str__(self) -> str:
        return "".join([str(self.first), *(f" {op} {operand}" for op, operand in self.rest)])

    def forms(self, values: Bindings) -> list[str]:
        """The expression with the values of its variables, then with one operator fewer each time, down to its value.

        Raises `TooHard` for a product or a value that is too large, and for a value below 0.
        """
        running = _value(self.first, values)
        rest = [(op, _value(operand, values)) for op, operand in self.rest]
        forms = [str(Expression(running, tuple(rest)))]
        while rest:
            op, operand = rest.pop(0)
            if op == "*" and min(running, operand) > 12:
                raise TooHard
            running = APPLY[op](running, operand)
            if not 0 <= running <= MAX_VALUE:
                raise TooHard
            forms.append(str(Expression(running, tuple(rest))))
        return forms


@dataclass(frozen=True)
class Assign:
    """`x = y + 2`, or `x += 2` for `x = x + 2` if it is `augmented`."""

    target: str
    expression: Expression
    augmented: bool = False

    def __str__(self) -> str:
        if self.augmented:
            (op, operand), *_ = self.expression.rest
            return f"{self.target} {op}= {operand}"
        return f"{self.target} = {self.expression}"

    def run(self, values: Bindings, label: str) -> Iterator[str]:
        """Yield the calculation, `y - 5 = 12 - 5 = 7`, if there is one, and then the event, `x = 7`."""
        forms = list(dict.fromkeys([str(self.expression), *self.expression.forms(values)]))
        values[self.target] = int(forms[-1])
        if len(forms) > 1:
            yield " = ".join(forms)
        yield f"{label}: {self.target} = {forms[-1]}"


@dataclass(frozen=True)
class Condition:
    """A comparison of an expression with a number or a variable."""

    left: Expression
    relation: str
    right: str | int

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"

    def decide(self, values: Bindings) -> tuple[bool, str]:
        """Whether the condition holds, and the line that says so."""
        right = _value(self.right, values)
        forms = self.left.forms(values)
        holds = COMPARE[self.relation](int(forms[-1]), right)
        parts = [str(self), *(f"{form} {self.relation} {right}" for form in forms), str(holds).lower()]
        return holds, " = ".join(parts)


@dataclass(frozen=True)
class If:
    """`if condition: body`."""

    condition: Condition
    body: Assign

    def __str__(self) -> str:
        return f"if {self.condition}: {self.body}"

    def run(self, values: Bindings, label: str) -> Iterator[str]:
        holds, line = self.condition.decide(values)
        yield f"{label}: {line}"
        if holds:
            yield from self.body.run(values, label)


@dataclass(frozen=True)
class For:
    """`for i in range(start, stop): body`."""

    variable: str
    start: int
    stop: int
    body: Assign | If

    def __str__(self) -> str:
        return f"for {self.variable} in range({self.start}, {self.stop}): {self.body}"

    def run(self, values: Bindings, label: str) -> Iterator[str]:
        for value in range(self.start, self.stop):
            values[self.variable] = value
            yield f"{label}: {self.variable} = {value}"
            yield from self.body.run(values, label)


@dataclass(frozen=True)
class While:
    """`while condition: body`."""

    condition: Condition
    body: Assign

    def __str__(self) -> str:
        return f"while {self.condition}: {self.body}"

    def run(self, values: Bindings, label: str) -> Iterator[str]:
        for _ in range(MAX_VALUE):
            holds, line = self.condition.decide(values)
            yield f"{label}: {line}"
            if not holds:
                return
            yield from self.body.run(values, label)
        raise TooHard


Statement = Assign | If | For | While


def run_program(program: Mapping[str, Statement], limit: int) -> tuple[list[str], Bindings]:
    """The trace of a program with its calculations, and the final values of its variables.

    Raises `TooHard` for more than `limit` events.
    """
    values: Bindings = {}
    lines: list[str] = []
    for label, statement in program.items():
        for line in statement.run(values, label):
            lines.append(line)
            if len(trace_events(lines)) > limit:
                raise TooHard
    return lines, values


def trace_events(lines: Sequence[str]) -> list[str]:
    """The lines of a trace that are events of its program; the other lines are calculations."""
    return [line for line in lines if ": " in line]


class ProgramWriter:
    """Draws the statements of one program with a few variables."""

    def __init__(self, rng: random.Random, level: int) -> None:
        self._rng = rng
        self._level = level
        self._free = rng.sample(VARIABLES, 4)
        self.known: list[str] = []

    def constant(self) -> Assign:
        """A new variable with a small value."""
        self.known.append(self._free.pop())
        return Assign(self.known[-1], Expression(self._rng.randint(2, 20)))

    def _operand(self) -> str | int:
        return self._rng.choice(self.known) if self._rng.random() < 0.5 else self._rng.randint(2, 9)

    def assignment(self, fresh: bool = False, extra: tuple[str, ...] = ()) -> Assign:
        """An assignment of a calculation to a variable; if `fresh`, the variable may be new.

        Variables in `extra` are preferred as operands.
        """
        rng = self._rng
        operand = rng.choice(extra) if extra and rng.random() < 0.7 else self._operand()
        if not fresh and rng.random() < 0.6:
            target, op = rng.choice(self.known), rng.choice("+-*" if self._level < 3 else "++-")
            return Assign(target, Expression(target, ((op, operand),)), augmented=True)
        source = rng.choice(self.known)
        ops = ["+", "-", "*"] + (["mod", "div"] if self._level >= 4 else [])
        op = rng.choice(ops)
        if op == "-" and operand == source:
            op = "+"
        rest: tuple[tuple[str, str | int], ...] = ((op, rng.randint(2, 9) if op in ("mod", "div") else operand),)
        if self._level >= 4 and rng.random() < 0.4:
            rest += ((rng.choice("+-"), self._operand()),)
        target = self._free.pop() if fresh and self._free else rng.choice(self.known)
        if target not in self.known:
            self.known.append(target)
        return Assign(target, Expression(source, rest))

    def condition(self) -> Condition:
        """A comparison of a variable with another variable or with a number from 5 to 30."""
        rng = self._rng
        if len(self.known) > 1 and rng.random() < 0.3:
            left, right = rng.sample(self.known, 2)
            return Condition(Expression(left), rng.choice(("<", ">")), right)
        return Condition(Expression(rng.choice(self.known)), rng.choice(("<", "<=", ">", ">=")), rng.randint(5, 30))

    def branch(self) -> If:
        """A conditional assignment."""
        return If(self.condition(), self.assignment())

    def counting_loop(self, rounds: int) -> For:
        """A `for` loop with this many rounds. From level 4 on, its body may be conditional."""
        rng = self._rng
        start = rng.randint(0, 5)
        change = self.assignment(extra=("i",))
        body: Assign | If = change
        if self._level >= 4 and rng.random() < 0.5:
            parity = rng.random() < 0.5
            left = Expression("i", (("mod", rng.randint(2, 3)),)) if parity else Expression("i")
            relation, right = ("==", rng.randint(0, 1)) if parity else (rng.choice("<>"), start + rounds // 2)
            body = If(Condition(left, relation, right), change)
        return For("i", start, start + rounds, body)

    def conditional_loop(self) -> While:
        """A `while` loop that brings one variable to a bound."""
        rng, target = self._rng, self._rng.choice(self.known)
        if rng.random() < 0.5:
            step = (
                Expression(target, (("+", rng.randint(3, 9)),))
                if rng.random() < 0.6
                else Expression(target, (("*", rng.randint(2, 3)),))
            )
            return While(Condition(Expression(target), "<", rng.randint(20, 60)), Assign(target, step, augmented=True))
        down = Expression(target, (("-", rng.randint(2, 6)),))
        return While(Condition(Expression(target), ">", rng.randint(4, 9)), Assign(target, down, augmented=True))

    def program(self) -> list[Statement]:
        """A whole program for the level."""
        rng = self._rng
        match self._level:
            case 1:
                lines: list[Statement] = [self.constant()]
                lines += [self.assignment(fresh=True), self.assignment()]
                if rng.random() < 0.5:
                    lines.insert(1, self.constant())
                return lines
            case 2:
                lines = [
                    self.constant(),
                    self.constant(),
                    self.assignment(fresh=True),
                    self.branch(),
                    self.assignment(),
                ]
                return lines + ([self.branch()] if rng.random() < 0.5 else [])
            case 3:
                lines = [self.constant(), self.constant(), self.assignment()]
                return [*lines, self.counting_loop(rng.randint(3, 4)), self.branch()]
            case 4:
                lines = [self.constant(), self.constant(), self.assignment(fresh=True)]
                return [*lines, self.counting_loop(rng.randint(3, 5)), self.conditional_loop()]
        lines = [self.constant(), self.constant(), self.counting_loop(rng.randint(4, 6))]
        return [*lines, self.conditional_loop(), self.assignment(fresh=True), self.branch()]


def _targets(statement: Statement) -> list[str]:
    while isinstance(statement, If | For | While):
        statement = statement.body
    return [] if not statement.expression.rest else [statement.target]


def _in_table(step: str, level: int) -> bool:
    """Whether all factors in a step have one digit or, from level 2 on, one digit followed by zeros, as 20 or 300."""
    factors = [text for pair in re.findall(r"(\d+) \* (\d+)", step) for text in pair]
    return all(len(factor if level == 1 else factor.rstrip("0")) <= 1 for factor in factors)


@domain("tracing", phase=3)
class Tracing:
    """Straight-line programs at level 1, branches at 2, a `for` loop at 3, also a `while` loop at 4, all at 5."""

    def sample(self, rng: random.Random, level: int) -> Content:
        low, high = EVENTS_BY_LEVEL[level]
        while True:
            statements = ProgramWriter(rng, level).program()
            program = dict(zip(labelled(map(str, statements), "L"), statements, strict=True))
            try:
                steps, values = run_program(program, high)
            except TooHard:
                continue
            if len(trace_events(steps)) >= low and (level > 2 or all(_in_table(step, level) for step in steps)):
                break
        asked = rng.choice([target for statement in statements for target in _targets(statement)])
        lines = tuple(Clause("line", str(statement)) for statement in program.values())
        slots: dict[str, Slot] = {"program": Clauses(lines, ordered=True, letter="L"), "asked": asked}
        steps.append(f"{asked} = {values[asked]}")
        return Content("trace", slots, tuple(steps), str(values[asked]))
