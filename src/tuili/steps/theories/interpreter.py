"""The exact, bounded interpreter of traced programs: it yields what a program does, event by event.

`language.program` parses a program line; `values.evaluate` computes the values of expressions.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from threading import Lock

from tuili.steps.language.program import Assign, For, If, Statement, While, assigned_names, parse_program_line
from tuili.steps.language.terms import Term
from tuili.steps.values.arithmetic import integer
from tuili.steps.values.evaluate import evaluate, truth
from tuili.steps.values.values import Value
from tuili.steps.verdict import StepFault, Unreadable
from tuili.steps.work_budget import WorkBudget

MAX_PROGRAM_WORK = 2500
"""The maximum work for one program: one unit for each event, and the work of `evaluate` for each expression."""


@dataclass(frozen=True)
class Event:
    """One thing that a program line does: it gives the variable `name` a value, or it decides a `condition`."""

    label: str
    value: Value
    name: str | None = None
    condition: Term | None = None


class Execution:
    """The events of one program. An event is computed when it is first asked for."""

    def __init__(self, program: tuple[tuple[str, str], ...]) -> None:
        self._events: list[Event] = []
        self._pending = _Interpreter().run(program)
        self._fault: StepFault | None = None
        self._lock = Lock()  # threads that check the same program share its execution
        self._program = program

    def event(self, number: int) -> Event | None:
        """Event number 0, 1, …, or None after the last one.

        Raises a `StepFault` if the program cannot continue: at a line that cannot be read, at an expression without a
        value, or beyond `MAX_PROGRAM_WORK`.
        """
        with self._lock:
            while len(self._events) <= number:
                if self._fault is not None:
                    raise self._fault.with_traceback(None)
                try:
                    self._events.append(next(self._pending))
                except StopIteration:
                    return None
                except StepFault as fault:
                    self._fault = fault
            return self._events[number]

    def state(self, number: int) -> Mapping[str, Value]:
        """The variables after the first `number` events. Raises a `StepFault` as `event` does."""
        if number:
            self.event(number - 1)
        return {event.name: event.value for event in self._events[:number] if event.name is not None}

    @property
    def variables(self) -> frozenset[str]:
        """Every name that some line of the program may give a value."""
        names: frozenset[str] = frozenset()
        for _, source in self._program:
            try:
                names |= assigned_names(parse_program_line(source))
            except Unreadable:
                continue
        return names


@lru_cache(maxsize=16)
def execution(program: tuple[tuple[str, str], ...]) -> Execution:
    """The execution of a program, given as pairs of label and source in order."""
    return Execution(program)


class _Interpreter:
    """The variables of a running program, and its remaining work budget."""

    def __init__(self) -> None:
        self._state: dict[str, Value] = {}
        self._budget = WorkBudget(MAX_PROGRAM_WORK, "the program runs for too many steps")

    def run(self, program: tuple[tuple[str, str], ...]) -> Iterator[Event]:
        """Executes labelled lines in order."""
        for label, source in program:
            yield from self._execute(label, parse_program_line(source))

    def _execute(self, label: str, statement: Statement) -> Iterator[Event]:
        match statement:
            case Assign():
                yield self._set(label, statement.name, self._value(statement.value))
            case If():
                holds = yield from self._decide(label, statement.condition)
                if holds:
                    yield from self._execute(label, statement.body)
            case While():
                while (yield from self._decide(label, statement.condition)):
                    yield from self._execute(label, statement.body)
            case For():
                start = integer(self._value(statement.start))
                stop = integer(self._value(statement.stop))
                for number in range(start, stop):
                    yield self._set(label, statement.name, Fraction(number))
                    yield from self._execute(label, statement.body)

    def _decide(self, label: str, condition: Term) -> Generator[Event, None, bool]:
        value = truth(condition, self._state, self._budget)
        self._budget.spend(1)
        yield Event(label, value, condition=condition)
        return value

    def _set(self, label: str, name: str, value: Value) -> Event:
        self._budget.spend(1)
        self._state[name] = value
        return Event(label, value, name=name)

    def _value(self, term: Term) -> Value:
        return evaluate(term, self._state, self._budget)
