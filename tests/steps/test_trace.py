"""Traces: each line must retell the next event of the program, as real Python would run it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Context, Status, check, check_chain

PROGRAM = {
    "L1": "x = 3",
    "L2": "y = x * 5",
    "L3": "for i in range(0, 2): x += i",
    "L4": "if x == 4: y -= 10",
    "L5": "while y < 7: y = y + 1",
}
TRACE = [
    "L1: x = 3",
    "L2: y = x * 5 = 3 * 5 = 15",
    "L3: i = 0",
    "L3: x = 3 + 0 = 3",
    "L3: i = 1",
    "L3: x = x + i = 3 + 1 = 4",
    "L4: x == 4 = true",
    "L4: y = 15 - 10 = 5",
    "L5: y < 7 = 5 < 7 = true",
    "L5: y = 5 + 1 = 6",
    "L5: y < 7 = 6 < 7 = true",
    "L5: y = 6 + 1 = 7",
    "L5: y < 7 = 7 < 7 = false",
]


def test_a_full_trace() -> None:
    verdicts = check_chain(TRACE, Context(program=PROGRAM))
    assert {(verdict.status, verdict.kind) for verdict in verdicts} == {(Status.VALID, "trace")}
    assert verdicts[1].witness == {"rule": "execution", "event": "L2: y = 15"}


@pytest.mark.parametrize(
    ("number", "line", "expected"),
    [
        (0, "L2: y = 3 * 5 = 15", "L1: x = 3"),  # not the next event
        (0, "L1: y = 3", "L1: x = 3"),
        (1, "L2: y = 3 * 5 = 16", "L2: y = 15"),
        (1, "L2: y = 3 * 4 = 15", "L2: y = 15"),  # one part is wrong
        (1, "L2: y < 16", "L2: y = 15"),
        (1, "L2: y = 15 = true", "L2: y = 15"),
        (2, "L3: x = 3 + 0 = 3", "L3: i = 0"),  # the binding is an event of its own
        (6, "L4: x == 4 = false", "L4: x == 4 = true"),
        (6, "L4: y = 15 - 10 = 5", "L4: x == 4 = true"),
        (6, "L4: x == 5 = false = true", "L4: x == 4 = true"),
        (6, "L4: x < 5 = true", "L4: x == 4 = true"),  # not the condition of the program
        (6, "L4: x == 4 = 4 < 5 = true", "L4: x == 4 = true"),  # another comparison
        (6, "L4: x == 4 = 5 == 5 = true", "L4: x == 4 = true"),  # of other values
        (12, "L5: y < 7 = true", "L5: y < 7 = false"),
    ],
)
def test_a_wrong_line_is_told_the_event(number: int, line: str, expected: str) -> None:
    verdict = check_chain([*TRACE[:number], line], Context(program=PROGRAM))[-1]
    assert (verdict.status, verdict.kind, verdict.expected) == (Status.INVALID, "trace", expected)


def test_a_wrong_line_does_not_advance_the_program() -> None:
    lines = ["L1: x = 4", "L1: x = 3"]
    assert [v.status for v in check_chain(lines, Context(program=PROGRAM))] == [Status.INVALID, Status.VALID]


def test_a_program_ends() -> None:
    verdict = check_chain([*TRACE, "L5: y = 7 + 1 = 8"], Context(program=PROGRAM))[-1]
    assert (verdict.status, verdict.reason) == (Status.INVALID, "the program has ended")


def test_claims_see_the_variables_as_they_are() -> None:
    lines = [*TRACE, "z = x + y = 4 + 7 = 11", "x + 1 = 5", "x = 2 + 3 = 5"]
    assert [v.status.value for v in check_chain(lines, Context(program=PROGRAM))[-3:]] == [
        "valid",
        "valid",
        "invalid",
    ]


def test_a_variable_cannot_be_defined_before_the_program_sets_it() -> None:
    assert check("y = 2 + 2 = 4", Context(program=PROGRAM)).status is Status.UNSUPPORTED


def test_a_line_that_cannot_be_read_sets_no_variable() -> None:
    context = Context(program={"L1": "x = 1", "L2": "print y"})
    assert check("y = 2 + 2 = 4", context).status is Status.VALID
    assert check_chain(["L1: x = 1", "L2: y = 1"], context)[-1].status is Status.UNSUPPORTED


def test_a_constant_condition_is_only_itself() -> None:
    context = Context(program={"L1": "while true: x = 1"})
    assert check("L1: true = true", context).status is Status.VALID
    assert check("L1: true = 1 < 2 = true", context).status is Status.INVALID


def test_without_a_program_there_is_nothing_to_trace() -> None:
    assert check("L1: x = 3").status is Status.UNSUPPORTED


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ({"L1": "x = 1 / 0"}, Status.INVALID),
        ({"L1": "x = y"}, Status.UNSUPPORTED),
        ({"L1": "import os"}, Status.UNSUPPORTED),
        ({"L1": "if 1: x = 2"}, Status.INVALID),
        ({"L1": "for i in range(0, 1/2): x = i"}, Status.UNSUPPORTED),
    ],
)
def test_a_program_that_cannot_go_on(program: dict[str, str], status: Status) -> None:
    assert check("L1: x = 1", Context(program=program)).status is status


def test_a_condition_may_be_rewritten_by_values_at_any_depth() -> None:
    context = Context(program={"L1": "x = 3", "L2": "while x in {1, 2} or not (x < 3) and x < 9: x += 1"})
    condition = "x in {1, 2} or not (x < 3) and (x < 9)"
    good = (
        "3 in {1, 2} or not (3 < 3) and (3 < 9)",
        "false or true and (3 < 9)",
        "(2 + 1) in {2, 1} or true",
    )
    bad = (
        "4 in {1, 2} or not (3 < 3) and (3 < 9)",
        "true or true and (3 < 9)",
        "false and true",
        "1 or true",
    )
    for part in good:
        assert check_chain(["L1: x = 3", f"L2: {condition} = {part} = true"], context)[-1].status is Status.VALID
    for part in bad:
        verdict = check_chain(["L1: x = 3", f"L2: {condition} = {part} = true"], context)[-1]
        assert verdict.status is Status.INVALID


def run(sources: list[str], events: Iterator[tuple[str, str, str]]) -> None:
    """The trace made of real Python's events is valid and complete, and its last event cannot be changed."""
    context = Context(program={f"L{i}": source for i, source in enumerate(sources, 1)})
    lines = [f"{label}: {name} = {value}" for label, name, value in events]
    verdicts = check_chain(lines, context)
    assert [verdict.status for verdict in verdicts] == [Status.VALID] * len(lines), (sources, lines)
    assert check_chain([*lines, "L1: x = 0"], context)[-1].status is Status.INVALID
    if lines:
        label, name, value = lines[-1].partition(": ")[0], *lines[-1].partition(": ")[2].rsplit(" = ", 1)
        changed = {"true": "false", "false": "true"}.get(value) or str(int(value) + 1)
        assert check_chain([*lines[:-1], f"{label}: {name} = {changed}"], context)[-1].status is Status.INVALID


def boolean(value: bool) -> str:
    return str(value).lower()


@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(0, 8), st.integers(-9, 9))
def test_a_loop_with_a_condition(start: int, step: int, stop: int, limit: int) -> None:
    def events() -> Iterator[tuple[str, str, str]]:
        x = start
        yield "L1", "x", str(x)
        for i in range(stop):
            yield "L2", "i", str(i)
            yield "L2", f"x > {limit}", boolean(x > limit)
            if x > limit:
                x = x - step * i
                yield "L2", "x", str(x)
        x *= 2
        yield "L3", "x", str(x)

    run([f"x = {start}", f"for i in range(0, {stop}): if x > {limit}: x = x - {step} * i", "x *= 2"], events())


@given(st.integers(0, 200), st.integers(1, 12))
def test_euclid(a: int, b: int) -> None:
    def events() -> Iterator[tuple[str, str, str]]:
        x, y = a, b
        yield "L1", "x", str(x)
        yield "L2", "y", str(y)
        while x >= y:
            yield "L3", "x >= y", "true"
            x -= y
            yield "L3", "x", str(x)
        yield "L3", "x >= y", "false"
        z = (a // b) * 10 + a % b
        yield "L4", "z", str(z)

    run([f"x = {a}", f"y = {b}", "while x >= y: x -= y", f"z = ({a} // {b}) * 10 + {a} % {b}"], events())


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6), st.integers(-3, 3))
def test_lists_and_nested_loops(items: list[int], offset: int) -> None:
    def events() -> Iterator[tuple[str, str, str]]:
        total = 0
        yield "L2", "total", "0"
        for i in range(len(items)):
            yield "L3", "i", str(i)
            for j in range(i, len(items)):
                yield "L3", "j", str(j)
                keep = items[j] > offset or j == i
                yield "L3", f"(xs[j] > {offset}) or (j == i)", boolean(keep)
                if keep:
                    total += items[j]
                    yield "L3", "total", str(total)

    context = [
        f"xs = [{', '.join(map(str, items))}]",
        "total = 0",
        f"for i in range(0, len(xs)): for j in range(i, len(xs)): if xs[j] > {offset} or j == i: total += xs[j]",
    ]
    full = Context(program={f"L{i}": source for i, source in enumerate(context, 1)})
    lines = [f"L1: xs = [{', '.join(map(str, items))}]"]
    lines += [f"{label}: {name} = {value}" for label, name, value in events()]
    assert {verdict.status for verdict in check_chain(lines, full)} == {Status.VALID}


def test_a_program_grounds_inferences_like_facts_do():
    """A variable gets its value from the program, not from a premise out of nowhere."""
    program = Context(program={"L1": "x = 3", "L2": "if x > 5: y = 1"})
    lines = ["y = 100 => y = 100", "x = 8 => x = 8", "L1: x = 3", "x = 3 => x + 1 = 4", "x = 8 => x + 1 = 9"]
    statuses = [verdict.status for verdict in check_chain(lines, program)]
    assert statuses == [Status.INVALID, Status.INVALID, Status.VALID, Status.VALID, Status.INVALID]


def test_threads_may_trace_the_same_program():
    """The events of a program are computed once for all; two threads must not both go on with it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for start in range(20):
            program = {"L1": f"x = {start}", "L2": "for i in range(0, 300): x += i"}
            contexts = [Context(program=program, events=events) for events in (601, 301, 501)] * 2
            with ThreadPoolExecutor(len(contexts)) as pool:
                verdicts = list(pool.map(check, ["L2: i = 300"] * len(contexts), contexts))
            assert {verdict.status for verdict in verdicts} == {Status.INVALID}
    finally:
        sys.setswitchinterval(interval)


def test_an_assignment_ends_what_was_concluded_about_the_old_value() -> None:
    program = Context(program={"L1": "x = 1", "L2": "x = 10", "L3": "y = x"})
    chain = ["L1: x = 1", "x = 1 => x < 5", "x < 5 => 2*x < 10", "L2: x = 10", "x < 5 => 2*x < 10", "x < 5 => x != 10"]
    assert [verdict.status.value for verdict in check_chain(chain, program)] == ["valid"] * 4 + ["invalid"] * 2


@pytest.mark.parametrize("fact", ["b = a + 1", "b - a = 1", "a + 1 = b"])
def test_an_assignment_ends_a_fact_about_the_variable_and_what_was_concluded_by_it(fact: str) -> None:
    context = Context(facts={"P1": fact, "P2": "a = 5"}, program={"L1": "c = 5", "L2": "a = 7"})
    before = ["P1, P2 => b = 6", "b * 2 = 6 * 2 = 12", "L1: c = 5", "P1, P2 => b = 6", "b = 6"]
    assert {verdict.status.value for verdict in check_chain(before, context)} == {"valid"}
    for line in (
        "b = 6",
        "b = 6 => b < 7",
        "b * 2 = 12",
        "a = 7, P1 => b = 8",
        "b = 8",
        "b = 4 + 4 = 8",
        "P2 => a = 5",
    ):
        assert check_chain([*before, "L2: a = 7", line], context)[-1].status is not Status.VALID


def test_an_assignment_leaves_conclusions_about_other_variables() -> None:
    program = Context(program={"L1": "x = 1", "L2": "y = 2", "L3": "if y > 1: y = 3"})
    chain = ["L1: x = 1", "x = 1 => x < 5", "L2: y = 2", "L3: y > 1 = true", "L3: y = 3", "x < 5 => 2*x < 10"]
    assert {verdict.status.value for verdict in check_chain(chain, program)} == {"valid"}
