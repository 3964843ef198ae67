"""The mini language of traced programs and its exact, bounded interpreter.

One labelled line holds one statement, with its body on the same line: `x = expr`, `x += expr` (also `-=`, `*=`),
`if cond: stmt`, `while cond: stmt`, `for i in range(a, b): stmt`. Running it yields events, which trace lines retell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from tuili.steps.arithmetic import integer
from tuili.steps.evaluate import evaluate, truth
from tuili.steps.parser import Parser
from tuili.steps.terms import Binary, Name, Term
from tuili.steps.values import Value
from tuili.steps.verdict import OverBudget, StepFault, Unreadable

MAX_EVENTS = 2000


@dataclass(frozen=True, slots=True)
class Assign:
    name: str
    value: Term


@dataclass(frozen=True, slots=True)
class If:
    condition: Term
    body: Statement


@dataclass(frozen=True, slots=True)
class While:
    condition: Term
    body: Statement


@dataclass(frozen=True, slots=True)
class For:
    name: str
    start: Term | None
    stop: Term
    body: Statement


Statement: TypeAlias = Assign | If | While | For


@dataclass(frozen=True)
class Event:
    """One thing a program does: it gives `name` a value, or (where `name` is None) decides a condition.

    `before` holds the variables as they were; a `fault` says why the program stops here.
    """

    label: str
    name: str | None
    value: Value | None
    before: Mapping[str, Value]
    source: Term | None = None
    fault: StepFault | None = None


class _ProgramParser(Parser):
    def statement_line(self) -> Statement:
        """One statement and nothing after it."""
        statement = self._statement()
        self.finish()
        return statement

    def _statement(self) -> Statement:
        if self.accept("if"):
            return If(self._head(), self._statement())
        if self.accept("while"):
            return While(self._head(), self._statement())
        if self.accept("for"):
            name = self.name()
            for word in ("in", "range", "("):
                self.expect(word)
            first = self.expression()
            second = self.expression() if self.accept(",") else None
            self.expect(")")
            self.expect(":")
            return For(name, None, first, self._statement()) if second is None else For(
                name, first, second, self._statement()
            )
        name = self.name()
        op = next((op for op in "+-*" if self.accept(op)), None)
        self.expect("=")
        value = self.expression()
        return Assign(name, Binary(op, Name(name), value) if op else value)

    def _head(self) -> Term:
        condition = self.expression()
        self.expect(":")
        return condition


@lru_cache(maxsize=1024)
def parse_program_line(source: str) -> Statement:
    """The statement of one program line. Raises `Unreadable`."""
    return _ProgramParser(source).statement_line()


class Run:
    """The events of a program, computed as far as they are asked for."""

    def __init__(self, program: tuple[tuple[str, str], ...]) -> None:
        self._events: list[Event] = []
        self._rest = _execute(program)

    def event(self, number: int) -> Event | None:
        """Event number 0, 1, …; None after the last one. Raises `OverBudget` beyond `MAX_EVENTS`."""
        while len(self._events) <= number:
            if len(self._events) >= MAX_EVENTS:
                raise OverBudget(f"the program runs for more than {MAX_EVENTS} events")
            event = next(self._rest, None)
            if event is None:
                return None
            self._events.append(event)
        return self._events[number]

    def state(self, number: int) -> Mapping[str, Value]:
        """The variables after so many events."""
        if not number:
            return {}
        event = self.event(number - 1)
        if event is None or event.name is None or event.value is None:
            return event.before if event else {}
        return {**event.before, event.name: event.value}


@lru_cache(maxsize=64)
def run(program: tuple[tuple[str, str], ...]) -> Run:
    """The run of a program given as labels and sources in order."""
    return Run(program)


class _Stop(Exception):
    """The program cannot go on after the event that was yielded last."""


def _execute(program: tuple[tuple[str, str], ...]) -> Iterator[Event]:
    state: dict[str, Value] = {}
    try:
        for label, source in program:
            try:
                statement = parse_program_line(source)
            except Unreadable as fault:
                yield Event(label, None, None, dict(state), fault=fault)
                return
            yield from _events(statement, label, state)
    except _Stop:
        return


def _events(statement: Statement, label: str, state: dict[str, Value]) -> Iterator[Event]:
    match statement:
        case Assign():
            yield from _assign(label, statement.name, statement.value, state)
        case If():
            decided = yield from _decide(label, statement.condition, state)
            if decided:
                yield from _events(statement.body, label, state)
        case While():
            while (yield from _decide(label, statement.condition, state)):
                yield from _events(statement.body, label, state)
        case For():
            try:
                start = integer(evaluate(statement.start, state)) if statement.start else 0
                stop = integer(evaluate(statement.stop, state))
            except StepFault as fault:
                yield Event(label, statement.name, None, dict(state), fault=fault)
                raise _Stop from None
            for number in range(start, stop):
                before = dict(state)
                state[statement.name] = Fraction(number)
                yield Event(label, statement.name, Fraction(number), before)
                yield from _events(statement.body, label, state)


def _assign(label: str, name: str, source: Term, state: dict[str, Value]) -> Iterator[Event]:
    before = dict(state)
    try:
        value = evaluate(source, before)
    except StepFault as fault:
        yield Event(label, name, None, before, source, fault)
        raise _Stop from None
    state[name] = value
    yield Event(label, name, value, before, source)


def _decide(label: str, condition: Term, state: dict[str, Value]) -> Iterator[Event]:
    try:
        value = truth(condition, state)
    except StepFault as fault:
        yield Event(label, None, None, dict(state), condition, fault)
        raise _Stop from None
    yield Event(label, None, value, dict(state), condition)
    return value
