"""Calculations are taken from text as they stand there, and only where nothing around them can belong to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.data.pipeline.routing.equations import MAX_STEPS, count_equalities, worked_steps
from tuili.steps import Status, check


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Natalia sold 48/2 = 24 clips in May.", ("48 / 2 = 24",)),
        ("She has 5 x 6 = 30, and 30 − 4 = 26 left.", ("5 * 6 = 30", "30 - 4 = 26")),
        ("It costs $1,200 + $300 = $1,500.", ("1200 + 300 = 1500",)),
        ("110 - 60 - 15 = 35", ("110 - 60 - 15 = 35",)),
        ("so 8 + 20 + (2 x 3) + 7 = 41", ("8 + 20 + 2 * 3 + 7 = 41",)),
        ("He earned .5*8=4 dollars", ("0.5 * 8 = 4",)),
        ("12 = 3 * 4", ("3 * 4 = 12",)),
        ("3 * 4 = 2 * 6 = 12", ("3 * 4 = 2 * 6", "2 * 6 = 12")),
        ("共有 5+3=8个苹果。", ("5 + 3 = 8",)),
        ("Total: 2 + 3 = 5; rest: 9 ÷ 3 = 3", ("2 + 3 = 5", "9 / 3 = 3")),
        ("2 + 3 = 5. 4 + 4 = 9.", ("2 + 3 = 5", "4 + 4 = 9")),
        ("It is 3 + 4 = 7.5 today", ("3 + 4 = 7.5",)),
        ("60 * 3/4 = 45, and 25 / (1/3) = 75", ("60 * 3 / 4 = 45", "25 / (1 / 3) = 75")),
        ("- 3 * 4 = 12\n- 12 + 1 = 13", ("3 * 4 = 12", "12 + 1 = 13")),
        ("* 3 * 4 = 12\n  * 12 + 1 = 13", ("3 * 4 = 12", "12 + 1 = 13")),
        ("1) 20 + 15 = 35\n2) 35 - 1 = 34", ("20 + 15 = 35", "35 - 1 = 34")),
        ("1. 300 + 50 = 350\n2. $350 / 7 = $50", ("300 + 50 = 350", "350 / 7 = 50")),
        ("(a) 20 + 15 = 35", ("20 + 15 = 35",)),
        ("We add the apples\n3 + 4 = 7", ("3 + 4 = 7",)),
        ("0 x 10 = 0; 20x10 = 200", ("0 * 10 = 0", "20 * 10 = 200")),
        ("1.125 * 2 = 2.25", ("1.125 * 2 = 2.25",)),
        ("5/5 – 1/5 = 4/5 for others", ("5 / 5 - 1 / 5 = 4 / 5",)),
        ("2^3 + 1 = 9, (1 + 2)^2 = 9", ("2^3 + 1 = 9", "(1 + 2)^2 = 9")),
        ("5² + 2³ = 33", ("5^2 + 2^3 = 33",)),
        (r"$12 \times 5 = 60$ and \(60 \div 4 = 15\)", ("12 * 5 = 60", "60 / 4 = 15")),
        (r"\[\frac{1}{2} \cdot 8 = 2^{2}\]", ("1 / 2 * 8 = 2^2",)),
        ("解：１５－３＝１２（个），（2＋3）×4＝20", ("15 - 3 = 12", "(2 + 3) * 4 = 20")),
        (r"20% of 80 = 16, 25\% of $40 = $10", ("20 / 100 * 80 = 16", "25 / 100 * 40 = 10")),
        ("（1）3+4=7", ("3 + 4 = 7",)),
    ],
)
def test_what_is_plain_is_taken(text: str, steps: tuple[str, ...]) -> None:
    assert worked_steps(text) == steps


@pytest.mark.parametrize(
    "text",
    [
        "72 cubic ft * 3/4 = 54 cubic ft",
        "He works M + 4 + 2 = 8 hours",
        "pears - 3 + 8 = 5",
        "half of 6 + 2 = 5",
        "20% * 50 = 10",
        "2^3^2 = 64",
        "-2^2 = 4",
        "2^n = 8",
        "m² + 4 = 13",
        "√(3² + 4²) = 5",
        "√ 9 + 4 = 7",
        r"A = \pi (5)^2 = 78.5",
        r"\frac{4}{3}\pi (3)^{3} = 113.1",
        "P (1.05)^2 = 1102.5",
        "1/2 m (4)^2 = 16",
        r"\log_{2} 8 \cdot 2 = 6",
        r"\sqrt 9 + 4 = 7",
        r"17 \bmod 5 + 1 = 3",
        r"\lceil \frac{7}{2} = 4",
        "9^1/2 = 3",
        "1．3+4=7",
        "１．３＋４＝５．３",
        "（1）-3+5=2",
        "（2）－3＋5＝2",
        "１÷５＝２０％",
        "2＋3＝5％",
        "3 + 4 = 7²",
        "20% of 40 + 60 = 20",
        "about 15-20% of 80 = 16",
        "20% of 1.500 = 300",
        "x3 + 4 = 9",
        "192 / 1.2 = 1.2Y",
        "2 + 3 = 5cm",
        "1500 * 1000 = 1.5 million",
        "0.5 * 100 = 50 cents",
        "2 - 1/2 = 1 1/2 cups",
        "10:30 + 5 = 35",
        "2 + 2 == 4",
        "==== 1 ====",
        "(1 + 2 = 3",
        "1) + 2 = 3",
        "2024-01-05 = 3",
        "x = 3 + 4",
        "5 = 5",
        "sum: = 5",
        "100 * 10% = 10",
        "60 students x 2/3 = 40 students",
        "12 x 1 and 1/4 = 15",
        "14, 400 / 80 = 180",
        ".8 + . 84 + .82 = 2.46",
        "500/ 1/10 = 50",
        "25 / 1/3 = 75",
        "3/ 1/4 = 12",
        "14 / 1 / 4 = 14 * 4",
        "10 pages on day 1 * 2 = 20 pages",
        "from Weeks 1-2 = 96 - 70",
        "Room 12 / 4 = 3",
        "page 5 - 3 = 2",
        "第3 + 4 = 7",
        "0x10 = 16",
        "1.200 + 300 = 1.500",
        "6 + 7 = 1 mod 12",
        "6 + 7 = 1 (mod 12)",
        "1 + 1 = 10 in binary",
        "8 - 3 = 5 tens",
        "10/3 = $3 and $1/3 a pizza",
        "100 + 20\n- 3 * 4 = 108",
    ],
)
def test_what_something_around_may_belong_to_is_not(text: str) -> None:
    assert worked_steps(text) == ()


def test_wrong_ones_are_taken_as_they_stand_and_the_checker_refutes_them() -> None:
    (step,) = worked_steps("They sold 48 + 24 = 73 clips.")
    verdict = check(step)
    assert (verdict.status, verdict.expected) == (Status.INVALID, "72")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("48/2 = 24, so x = 5", 2),
        ("3 * 4 = 2 * 6 = 12", 2),
        ("half of 6 + 2 = 5", 1),
        ("if (a == b) c != d; e >= f", 0),
        ("name=value", 0),
        ("x = y", 0),
        ("", 0),
        ("１５－３＝１２", 1),
        (r"$2^{3} = 8$", 1),
    ],
)
def test_what_seems_a_calculation_is_counted(text: str, count: int) -> None:
    assert count_equalities(text) == count


def test_steps_of_a_text_are_bounded() -> None:
    assert len(worked_steps("1 + 1 = 2; " * 1000)) == MAX_STEPS


@given(st.text("0123456789+-*/()=$., x%^\n的", max_size=60))
def test_any_text_is_read_and_what_is_taken_is_a_calculation(text: str) -> None:
    for step in worked_steps(text):
        left, _, right = step.partition(" = ")
        assert left and right
        assert check(step).status in (Status.VALID, Status.INVALID, Status.TIMEOUT)


def test_sums_that_are_written_out_are_right_where_they_are() -> None:
    for a in range(0, 40, 7):
        for b in range(1, 9):
            (step,) = worked_steps(f"In all {a} + {b} * 2 = {a + b * 2} things.")
            assert check(step).status is Status.VALID
