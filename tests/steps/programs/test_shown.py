"""The examples that a prompt shows of a program: read where they are certain, and nothing else."""

from __future__ import annotations

import pytest

from tuili.steps import read_as
from tuili.steps.programs import Case, Specification, read_examples
from tuili.steps.programs.shown import MAX_CHARACTERS, MAX_EXAMPLES
from tuili.tasks import generate


@pytest.mark.parametrize(
    ("prompt", "cases"),
    [
        ("Write f(n) in Python. It gives f(3) = 7 and f(-4) = 9.", (Case((3,), 7), Case((-4,), 9))),
        ("tests: assert f([1, 2], 3) == [3, 4]", (Case(([1, 2], 3), [3, 4]),)),
        ("f([]) -> None; f([True]) -> False", (Case(([],), None), Case(([True],), False))),
        ("Code for f, please (f(3) = 7).", (Case((3,), 7),)),
        ("- f(3) returns 7\n* f(4) gives 8", (Case((3,), 7), Case((4,), 8))),
        ("请用Python编写函数f(n)，使f(3)＝7，f(4)返回8。", (Case((3,), 7), Case((4,), 8))),
        ("f(3) = 7. Once more: f(3) = 7", (Case((3,), 7),)),
        ("f(3) = 7, where max(3, 2) = 3", (Case((3,), 7),)),
        ("f() = 5", (Case((), 5),)),
    ],
)
def test_examples_are_read(prompt: str, cases: tuple[Case, ...]) -> None:
    assert read_examples(read_as(prompt).text) == Specification("f", cases)


@pytest.mark.parametrize(
    "prompt",
    [
        "What is f(3) if f(x) = 7*x?",
        "2 * f(3) = 8",
        "1 + f(3) = 8",
        "-f(3) = 8",
        "f(1) + f(3) = 8",
        "The sum of f(1) and f(3) = 8",
        "twice f(3) = 8",
        "g(f(3) = 7)",
        "f(3) = 7 + 1",
        "f(3) = 7 - n",
        "f(3) = 7 * 2",
        "f(3) = 7.5",
        "f(3) = 7,500",
        "f(3) = 7/2",
        "f(3) = 7n",
        "f(3) = 7万",
        "f(3) = 7 or 8",
        "f(3) = 7 if n is even",
        "f(3) = 7 = 7",
        "f(3) != 7",
        "f(x) = 7",
        "f([[1]]) = 7",
        "f(3.5) = 7",
        "If f(3) = 7, stop",
        "It must not be that f(3) = 7",
        "It is wrong that f(3) = 7, f(4) = 8",
        "f(3) = 7 and f(4) = 8 are wrong",
        "At present it's broken: f(3) = 7, but it should be 8, not 7",
        "f(3) = 7 是错的",
        "f(3) = 7 and g(4) = 8",
        "f(3) = 7 and f(3) = 8",
        "max(3, 4) = 4",
        "xf.f(3) = 7",
        "f(" + "1, " * 200 + "1) = 3",
        "f(3) = " + "7" * 101,
        "",
        "x" * MAX_CHARACTERS + " f(3) = 7",
    ],
)
def test_what_may_be_something_else_is_not_read(prompt: str) -> None:
    assert read_examples(prompt) is None


def test_only_so_many_are_read() -> None:
    shown = read_examples("; ".join(f"f({n}) = {n}" for n in range(MAX_EXAMPLES + 5)))
    assert shown is not None
    assert len(shown.examples) == MAX_EXAMPLES


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_examples_of_problems_are_read(language: str) -> None:
    problems = [
        generate("programming", 7, index, 1 + index % 5, wording="unseen" if index % 2 else "seen", language=language)
        for index in range(40)
    ]
    read = 0
    for problem in problems:
        assert problem.specification is not None
        shown = read_examples(read_as(problem.prompt).text)
        if shown is not None:
            assert shown.function == problem.specification.function
            assert {*map(str, shown.examples)} <= {*map(str, problem.specification.examples)}
            read += len(shown.examples) == len({*map(str, problem.specification.examples)})
    assert read >= 36
