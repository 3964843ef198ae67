"""Operations of follow-ups: every step is valid, the answer is what plain Python says, and numbers that do not fit
are refused."""

from __future__ import annotations

import random

import pytest

from tuili.steps import Status, check_chain
from tuili.tasks.conversations.operations import LARGEST, OPERATIONS, draw_number, draw_operation, work_out

TWINS = {
    "plus": lambda a, n: str(a + n),
    "minus": lambda a, n: str(a - n),
    "subtract_from": lambda a, n: str(n - a),
    "times": lambda a, n: str(a * n),
    "divide": lambda a, n: str(a // n),
    "double": lambda a, n: str(2 * a),
    "half": lambda a, n: str(a // 2),
    "percent": lambda a, n: str(a * n // 100),
    "remainder": lambda a, n: str(a % n),
    "even": lambda a, n: "no" if a % 2 else "yes",
    "more_than": lambda a, n: "yes" if a > n else "no",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_working_is_valid_and_right(operation: str) -> None:
    rng, found = random.Random(operation), 0
    for _ in range(400):
        a = rng.choice((rng.randint(-20, 60), rng.randint(0, 5000), 10 * rng.randint(1, 400)))
        n = draw_number(operation, a, rng)
        working = work_out(operation, a, n)
        if working is None:
            continue
        found += 1
        assert working.answer == TWINS[operation](a, n), (operation, a, n)
        assert {verdict.status for verdict in check_chain(working.steps)} == {Status.VALID}, working
        assert str(a) in " ".join(working.steps)
    assert found > 40


@pytest.mark.parametrize(
    ("operation", "a", "n"),
    [
        ("divide", 7, 2),
        ("divide", 0, 2),
        ("half", 9, 0),
        ("percent", 25, 10),
        ("percent", 100, 75),
        ("minus", 3, 5),
        ("subtract_from", 5, 3),
        ("times", 1, 5),
        ("times", LARGEST, 2),
        ("plus", LARGEST + 1, 2),
        ("remainder", 3, 7),
        ("more_than", 5, 5),
        ("even", -4, 0),
    ],
)
def test_numbers_that_do_not_fit_are_refused(operation: str, a: int, n: int) -> None:
    assert work_out(operation, a, n) is None


def test_a_numeric_operation_has_a_number_as_its_answer() -> None:
    drawn = [draw_operation(24, random.Random(seed), numeric=seed % 2 == 0) for seed in range(200)]
    assert all(one and not one[2].words for one in drawn[::2])
    assert {one[0] for one in drawn if one} == OPERATIONS.keys()
