"""The benchmark of programs asks CPython in a process of its own, and finds what differs from it."""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.checker.programs.compare import compare, draw, in_python
from benchmarks.checker.programs.hostile import hostile_programs, time_and_memory
from tuili.steps import programs


def test_python_tells_values_and_errors() -> None:
    texts = ["def f(a):\n  return [a, a > 1]", "def f(a): return a[2]", "def f(a) return a"]
    calls = [[("f", [3]), ("g", [3])], [("f", [[1]])], [("f", [1])]]
    assert in_python(texts, calls) == [
        ["value [3, True]", "error TypeError"],
        ["error IndexError"],
        ["error SyntaxError"],
    ]


def test_nothing_differs_and_both_verdicts_occur() -> None:
    found = compare(60, seed=4)
    assert found.differences == []
    assert found.counts["programs"] == 60
    assert min(found.counts["right"], found.counts["wrong"], found.counts["runs_with_an_error"]) >= 5


def test_an_interpreter_that_is_wrong_is_found() -> None:
    def wrong(
        program: programs.Program, arguments: Sequence[programs.Value], bounds: programs.Bounds, function: str
    ) -> programs.Value | programs.Fault:
        value = programs.run(program, arguments, bounds, function)
        return value + 1 if type(value) is int and value % 7 == 0 else value

    assert compare(60, seed=4, interpret=wrong).differences


def test_a_case_depends_on_its_number_and_seed_alone() -> None:
    assert draw(random.Random(3), 4) == draw(random.Random(3), 4) != draw(random.Random(5), 4)


def test_hostile_programs_need_little_memory() -> None:
    milliseconds, mebibytes = time_and_memory()
    assert len(milliseconds) == len(mebibytes) == len(list(hostile_programs()))
    assert max(mebibytes) < 8
