"""Program tracing against an interpreter of its own, written line by line with Python's semantics."""

from __future__ import annotations

import operator
import re
from statistics import mean, median

import pytest
import reasoning_gym

from tests.tasks.each_form import in_each_form
from tests.tasks.twin import problems
from tests.tasks.wordings.reading_back import read_back
from tuili.errors import TuiliError
from tuili.steps import Status, check_chain
from tuili.tasks import Language
from tuili.tasks.domains.tracing import (
    EVENTS_BY_LEVEL,
    Assign,
    Condition,
    Expression,
    For,
    If,
    TooHard,
    While,
    run_program,
    trace_events,
)

OPERATORS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "mod": operator.mod, "div": operator.floordiv,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}  # fmt: skip


def value(text: str, state: dict[str, int]) -> int:
    """Left to right, which is right because a higher operator only comes first."""
    first, *rest = text.split()
    result = state[first] if first in state else int(first)
    for op, operand in zip(rest[::2], rest[1::2], strict=True):
        result = OPERATORS[op](result, state[operand] if operand in state else int(operand))
    return result


def execute(line: str, state: dict[str, int], log: list[str]) -> None:
    """Run one statement and write down every event in short."""
    if match := re.fullmatch(r"if (.+?): (.+)", line):
        log.append(str(bool(value(match[1], state))).lower())
        if log[-1] == "true":
            execute(match[2], state, log)
    elif match := re.fullmatch(r"while (.+?): (.+)", line):
        while value(match[1], state):
            log.append("true")
            execute(match[2], state, log)
        log.append("false")
    elif match := re.fullmatch(r"for (\w+) in range\((\d+), (\d+)\): (.+)", line):
        name, start, stop, body = match.groups()
        for number in range(int(start), int(stop)):
            state[name] = number
            log.append(f"{name} {number}")
            execute(body, state, log)
    else:
        ((name, op, right),) = re.findall(r"^(\w+) ([-+*]?)= (.+)$", line)
        state[name] = OPERATORS[op](state[name], value(right, state)) if op else value(right, state)
        log.append(f"{name} {state[name]}")


def test_the_answers_and_events_are_those_of_the_interpreter() -> None:
    for problem in problems("tracing", 200):
        state: dict[str, int] = {}
        log: list[str] = []
        lines = re.findall(r"^L\d+: (.+)$", problem.prompt, re.MULTILINE)
        for line in lines:
            execute(line, state, log)
        asked = re.search(r"(?:What is|value of|value does) (\w) ", problem.prompt)
        assert asked
        assert str(state[asked[1]]) == problem.answer
        assert problem.steps[-1] == f"{asked[1]} = {problem.answer}"
        for event, step in zip(log, trace_events(problem.steps), strict=True):
            *name, result = event.split()
            assert step.endswith(f"= {result}")
            assert not name or step.split(": ")[1] == f"{name[0]} = {result}"


@pytest.mark.parametrize("language", list(Language))
def test_the_twin_solves_all_wordings(language: Language) -> None:
    for problem in in_each_form("tracing", 4, language, levels=(1, 2, 3)):
        read, state = read_back(problem), dict[str, int]()
        lines, asked = read["program"], read["asked"]
        assert isinstance(lines, list)
        assert isinstance(asked, str)
        for line in lines:
            execute(str(line), state, [])
        assert problem.answer == str(state[asked]), problem.prompt


def test_a_wrong_event_is_caught() -> None:
    for problem in problems("tracing", 20, levels=(2, 3)):
        *head, last = problem.steps[:-1]
        wrong = re.sub(r"\w+$", lambda m: {"true": "false", "false": "true"}.get(m[0]) or str(int(m[0]) + 1), last)
        verdicts = check_chain([*head, wrong], problem.context)
        assert verdicts[-1].status is Status.INVALID
        skipped = [step for step in head if step != trace_events(head)[-1]]
        assert check_chain([*skipped, last], problem.context)[-1].status is Status.INVALID


def test_known_trace() -> None:
    program = {
        "L1": Assign("x", Expression(3)),
        "L2": For("i", 1, 3, Assign("x", Expression("x", (("*", "i"),)), augmented=True)),
        "L3": While(Condition(Expression("x"), "<", 8), Assign("x", Expression("x", (("+", 4),)))),
        "L4": If(Condition(Expression("x", (("mod", 2),)), "==", 1), Assign("x", Expression(0))),
    }
    lines, values = run_program(program, limit=20)
    assert [str(statement) for statement in program.values()] == [
        "x = 3", "for i in range(1, 3): x *= i", "while x < 8: x = x + 4", "if x mod 2 == 1: x = 0",
    ]  # fmt: skip
    assert lines == [
        "L1: x = 3",
        "L2: i = 1",
        "x * i = 3 * 1 = 3",
        "L2: x = 3",
        "L2: i = 2",
        "x * i = 3 * 2 = 6",
        "L2: x = 6",
        "L3: x < 8 = 6 < 8 = true",
        "x + 4 = 6 + 4 = 10",
        "L3: x = 10",
        "L3: x < 8 = 10 < 8 = false",
        "L4: x mod 2 == 1 = 10 mod 2 == 1 = 0 == 1 = false",
    ]
    assert values == {"x": 10, "i": 2}
    with pytest.raises(TooHard):
        run_program(program, limit=5)


def test_numbers_stay_small_and_traces_within_bounds() -> None:
    for problem in problems("tracing", 100):
        low, high = EVENTS_BY_LEVEL[problem.level]
        assert low <= len(trace_events(problem.steps)) <= high
        assert max(map(int, re.findall(r"\d+", " ".join(problem.steps)))) <= 999


def test_products_are_in_the_times_table_at_first() -> None:
    for level, allowed in ((1, r"\d"), (2, r"\d0*")):
        pairs = [
            pair
            for problem in problems("tracing", 300, levels=(level,))
            for step in problem.steps
            for pair in re.findall(r"(\d+) \* (\d+)", step)
        ]
        assert len(pairs) > 60
        assert all(re.fullmatch(allowed, factor) for pair in pairs for factor in pair)


def test_the_answer_is_not_always_the_last_event() -> None:
    for level in (2, 3, 4, 5):
        last = [trace_events(p.steps)[-1].endswith(f"= {p.answer}") for p in problems("tracing", 150, levels=(level,))]
        assert mean(last) < 0.75


def test_branches_go_both_ways() -> None:
    taken = [
        step.endswith("true")
        for p in problems("tracing", 300, levels=(2,))
        for step in p.steps
        if re.search("true|false", step)
    ]
    assert 0.3 < mean(taken) < 0.7


def test_level_3_is_as_hard_as_reasoning_gym() -> None:
    """Proxy: statements that are executed, against `bf` at its default, whose sources print one word.

    (What `bf` shows are machine instructions, which have no counterpart here.)
    """
    theirs = [item["metadata"]["bfit_code"].count(";") for item in reasoning_gym.create_dataset("bf", size=50, seed=1)]
    assert median(len(trace_events(problem.steps)) for problem in problems("tracing", 100, levels=(3,))) > median(
        theirs
    )


def test_a_program_that_is_too_hard_raises_an_error_of_tuilis_own():
    with pytest.raises(TuiliError):
        run_program({"L1": Assign("x", Expression(2, (("-", 3),)))}, limit=3)
