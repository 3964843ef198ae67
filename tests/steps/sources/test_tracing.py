"""Where the numbers of a chain come from, and that a number from nowhere is found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.counting import count_calls
from tuili.steps import Context, NumberTracer, Origin, Status, check, trace_numbers

STORY = "Ann has 48 apples, buys 27 and eats 3. The shop is 60 years old. How many are left?"


def traced(prompt: str, *lines: str) -> list[bool]:
    return [step.traced for step in trace_numbers(prompt, lines).steps]


def test_a_number_comes_from_the_prompt_an_earlier_step_or_the_step_itself() -> None:
    steps = trace_numbers(STORY, ["48 + 27 = 75", "75 - 3 = 72"]).steps
    origins = [[(each.number, each.origin, each.step) for each in step.numbers] for step in steps]
    assert origins == [
        [("48", Origin.PROMPT, None), ("27", Origin.PROMPT, None), ("75", Origin.RESULT, None)],
        [("75", Origin.STEP, 1), ("3", Origin.PROMPT, None), ("72", Origin.RESULT, None)],
    ]


def test_a_step_that_holds_may_come_from_nowhere() -> None:
    (step,) = trace_numbers("What is 12 + 7?", ["18 = 2 * 9"]).steps
    assert check("18 = 2 * 9").status is Status.VALID
    assert not step.traced and step.from_nowhere == ("18", "9")


def test_what_rests_on_a_number_from_nowhere_is_not_traced_either() -> None:
    assert traced("What is 12 + 7?", "9 * 9 = 81", "81 + 12 = 93", "12 + 7 = 19") == [False, False, True]


def test_constants_alone_make_no_calculation_traced() -> None:
    assert traced("What is 12 + 7?", "2 = 36 / 18", "1 + 1 = 2", "x = 6 * 7 = 42") == [False, True, False]


def test_numbers_that_no_step_used_are_listed() -> None:
    assert trace_numbers(STORY, ["48 + 27 = 75", "75 - 3 = 72"]).unused == ("60",)
    assert trace_numbers(STORY, ["48 + 27 = 75"]).unused == ("3", "60")


def test_examples_exponents_and_ordinals_are_no_numbers_of_the_question() -> None:
    assert trace_numbers("Divide 437 by 5. Answer like 12 remainder 3.", ["437 = 5 * 87 + 2"]).unused == ()
    assert trace_numbers("A square of 3 m has how many m^2?", ["3 m * 3 m = 9 m^2"]).unused == ()
    assert trace_numbers("Has the year 2600 a 29th of February?", ["2600 mod 400 = 200"]).unused == ()


@pytest.mark.parametrize(
    ("prompt", "lines"),
    [
        ("What is 87 * 5?", ("80 * 5 = 400", "7 * 5 = 35", "400 + 35 = 435")),
        ("Divide 437 by 5.", ("43 = 5 * 8 + 3", "37 = 5 * 7 + 2", "437 = 5 * 87 + 2")),
        ("Divide 4370 by 23.", ("23 * 1 = 23", "43 - 23 = 20", "23 * 9 = 207", "207 - 207 = 0")),
        ("Reduce 14/21.", ("14 / 7 = 2", "21 / 7 = 3", "14/21 = 2/3")),
        ("Is 437 prime?", ("11 * 39 = 429", "437 - 429 = 8", "437 mod 13 = 8")),
        ("Find lcm(10, 21).", ("10 * 2 = 20", "10 * 3 = 30", "10 * 4 = 40")),
        ("In how many ways can 3 of 12 be chosen?", ("12 * 11 = 132", "C(12, 2) = 12 * 11 / 2 = 66", "66 * 10 = 660")),
        ("It is 22:50. What time is it in 3 h?", ("22 + 3 = 25", "25 - 24 = 1", "22:50 + 3 h = 01:50")),
        ("What date is 20 days after 2024-01-30?", ("days_in(2024-02) = 29", "29 - 20 = 9")),
        ("P1: 2x + 3y = 8, P2: 6x - y = 4. Find x.", ("8 * 3 = 24", "P1, P2 => x = 1")),
        ("Prove it for odd n.", ("for all integers k: (2*k + 1)^2 = 2*(2*k^2 + 2*k) + 1",)),
        ("P1: for all integers n: (n^2 + 5*n + 6) mod 2 = 0", ("for all integers n: n^2 + 5*n + 6 = (n + 2)*(n + 3)",)),
        ("Is n^2 + 7 odd for all n?", ("n = 3: n^2 + 7 = 16",)),
        ("Prove that n^3 - n is divisible by 6.", ("for all integers n: n mod 6 = 5 -> (n^3 - n) mod 6 = 0",)),
        ("gcd(765,986)=?", ("986 - 765 = 221",)),
        ("2087-01-21是星期二。2087-05-25是星期几？", ("8 = 4 * 2 + 0", "7 = 4 * 1 + 3", "87 mod 4 = 3")),
        ("今天星期一，3天后星期几？", ("Monday + 3 day = Thursday",)),
        ("小明有12个苹果，又买了7个。", ("12 + 7 = 19",)),
    ],
)
def test_written_work_and_constants_are_traced(prompt: str, lines: tuple[str, ...]) -> None:
    assert [step.from_nowhere for step in trace_numbers(prompt, lines).steps] == [()] * len(lines)


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("What is 87 * 5?", "60 * 5 = 300"),
        ("Divide 437 by 5.", "42 = 5 * 8 + 2"),
        ("Reduce 14/22.", "15 / 7 = 15/7"),
        ("Is 437 prime?", "11 * 38 = 418"),
        ("It is 22:50.", "22:40 + 3 h = 01:40"),
        ("Today is Monday.", "Tuesday + 1 day = Wednesday"),
        ("What is 12 + 7?", "12 < 25"),
        ("What is 12 + 7?", "x > 9 => x > 8"),
        ("Is n^2 + 7 odd for all n?", "for all integers n: n^2 - 9 = (n - 3)*(n + 3)"),
        ("What is 12 + 7?", "Then there are 14 left."),
        ("What is 48 + 27?", "48 = 48 + 17 - 17"),
        ("What is 48 + 27?", "48 = 48 + 17 - 13 - 4"),
        ("What is 48 + 27?", "48 = 17 + 48 - 17"),
        ("What is 48 + 27?", "48 = 48 + (17 - 17)"),
        ("What is 48 + 27?", "48 = 48 + 17 - (10 + 7)"),
        ("What is 48 + 27?", "48 + 27 = 48 + 27 + 17 - 17"),
        ("What is 48 + 27?", "48 + 27 = 75 = 75 + 17 - 17"),
        ("What is 48 + 27?", "48 + 17 - 17 = 48"),
        ("What is 48 + 27?", "48 = 48 + 17 - 17 = 48"),
        ("What is 48 + 27?", "48 = 48 * 17 / 17"),
        ("What is 48 + 27?", "48 = 48 / 17 * 17"),
        ("What is 48 + 27?", "48 = 48 * 34 / 17 / 2"),
        ("What is 48 + 27?", "48 = 48 * 34 / (17 * 2)"),
        ("What is 48 + 27?", "48 + 27 = (48 + 27) * 17 / 17"),
        ("What is 48 + 27?", "48 = 48 + 0 * 17"),
        ("Ann walks 48 m.", "48 m = 48 m + 17 m - 17 m"),
    ],
)
def test_other_numbers_are_found(prompt: str, line: str) -> None:
    assert traced(prompt, line) == [False]


@pytest.mark.parametrize("line", ["48 = 48 + 17 - 17", "48 = 48 * 17 / 17", "48 = 48 + 17 - 17 = 48"])
def test_a_number_that_cancels_itself_is_not_traced_later_either(line: str) -> None:
    assert traced("What is 48 + 27?", line, "17 + 27 = 44", "48 + 27 = 75") == [False, False, True]


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("Factor 60.", "60 = 2 * 2 * 3 * 5"),
        ("Divide 437 by 5.", "437 = 5 * 87 + 2"),
        ("What is 48 + 17?", "48 = 48 + 17 - 17"),
        ("What is 48 - 48?", "48 - 48 = 0"),
        ("What is 48 + 27?", "48 + 27 = 50 + 25 = 75"),
        ("What is 5/6 + 3?", "5/6 = 25/30"),
        ("Expand (3*m - 2)*(3*m + 2).", "for all m: (3*m - 2)*(3*m + 2) = 9*m^2 + 6*m - 6*m - 4 = 9*m^2 - 4"),
    ],
)
def test_a_new_number_that_its_side_depends_on_is_traced(prompt: str, line: str) -> None:
    assert traced(prompt, line) == [True]


@pytest.mark.parametrize(
    ("prompt", "lines"),
    [
        ("Write 3/4 as a percentage.", ("3/4 = 3 * 25 / (4 * 25) = 75/100",)),
        ("Write 3/4 as a percentage.", ("3/4 = 3 * 25 / (4 * 25)", "3 * 25 = 75", "3/4 = 75/100")),
        ("What is 1/4 + 1/6?", ("lcm(4, 6) = 12", "1/4 = 1 * 3 / (4 * 3) = 3/12")),
        ("Reduce 36/12.", ("36/12 = 3 * 4 * 3 / (4 * 3) = 3",)),
        ("What is 125 * 56?", ("125 * 56 = 125 * 8 * 56 / 8 = 7000",)),
        ("What is 125 * 56?", ("125 * 56 = 125 * 8 * 56 / 8", "125 * 8 = 1000", "1000 * 56 / 8 = 7000")),
        ("What is 396 + 247?", ("396 + 247 = 396 + 4 + 247 - 4 = 643",)),
        ("What is 396 + 247?", ("396 + 247 = 396 + 4 + 247 - 4", "396 + 4 = 400", "400 + 247 - 4 = 643")),
        ("What is 396 + 247?", ("396 + 247 = 396 + 247 + 4 - 4 = 400 + 243 = 643",)),
        ("P1: x^2 + 6*x = 7. Find x.", ("x^2 + 6*x = x^2 + 6*x + 9 - 9", "x^2 + 6*x + 9 - 9 = (x + 3)^2 - 9")),
        ("Complete the square of x^2 + 6*x.", ("for all x: x^2 + 6*x = x^2 + 6*x + 9 - 9",)),
        ("Today is Monday. Which day is it in 100 days?", ("Monday = Monday + 98 day", "100 - 98 = 2")),
        ("What is 48 + 27?", ("48 + 27 = 75", "75 = 75 - 27 + 20 + 7")),
        ("What is 48 + 27?", ("17 + 31 = 48 = 48 + 17 - 17", "17 + 27 = 44")),
    ],
)
def test_a_number_that_cancels_itself_is_traced_where_something_is_made_of_it(
    prompt: str, lines: tuple[str, ...]
) -> None:
    assert [step.from_nowhere for step in trace_numbers(prompt, lines).steps] == [()] * len(lines)


def test_facts_and_programs_give_their_numbers_with_their_labels() -> None:
    chain = trace_numbers("P1: 3x + 5 = 20, P2: y = 7. Find x.", ["P1 => 3x = 15", "3x = 15 => x = 5"])
    assert all(step.traced for step in chain.steps) and chain.unused == ("7",)
    program = "Run it.\nL1: a = 4\nL2: b = a * 3\nL3: c = 8"
    chain = trace_numbers(program, ["L1: a = 4", "L2: b = a * 3 = 12"])
    assert all(step.traced for step in chain.steps) and chain.unused == ("8",)


def test_a_copy_goes_on_on_its_own() -> None:
    tracer = NumberTracer(STORY)
    tracer.trace("48 + 27 = 75")
    other = tracer.copy()
    other.trace("75 - 3 = 72")
    assert other.trace("72 + 1 = 73").traced and not tracer.trace("72 + 1 = 73").traced
    assert other.unused == ("60",) and tracer.unused == ("3", "60")


def test_earlier_turns_give_numbers() -> None:
    tracer = NumberTracer("And minus 5?", earlier=("What is 48 + 27?", "75"))
    assert tracer.trace("75 - 5 = 70").traced


@pytest.mark.parametrize(
    "line",
    [
        "*".join(["7"] * 100) + " = 5",
        " + ".join(map(str, range(10**6, 10**6 + 100))) + " = 9",
        " * ".join(map(str, range(200, 310))) + " = 9",
        f"{'9' * 600} = 7 * {'8' * 600} + 3",
        "9" * 5000,
    ],
)
def test_a_hostile_line_takes_little_work(line: str) -> None:
    rng = random.Random(0)
    numbers = " ".join(str(rng.randrange(10**12)) for _ in range(1500))
    tracer = NumberTracer(f"A prime team passes the point in a year, x^2: {numbers}")
    assert count_calls(lambda: tracer.trace(line)) < 250_000


@given(st.text(), st.lists(st.text()))
def test_no_text_whatever_raises(prompt: str, lines: list[str]) -> None:
    assert len(trace_numbers(prompt, lines, Context()).steps) == len(lines)


def test_steps_behind_the_bound_come_from_nowhere() -> None:
    steps = trace_numbers("What is 1 + 2?", ["1 + 2 = 3"] * 2001).steps
    assert steps[1999].traced and not steps[2000].traced


@pytest.mark.parametrize(
    "prompt",
    [
        "Today is December 8, 2056, and the class is on 16 January 2057. How many days is it until the class?",
        "今天是2056年12月8日, 上课是2057年1月16日. 还有多少天?",
    ],
)
def test_dates_in_words_give_their_years_and_months(prompt: str) -> None:
    lines = ["days_in(2056-12) = 31", "31 - 8 = 23", "23 + 16 = 39", "2056-12-08 + 39 day = 2057-01-16"]
    traced = trace_numbers(prompt, lines)
    assert [step.from_nowhere for step in traced.steps] == [()] * 4
    assert traced.unused == ()
    assert trace_numbers(prompt, lines[1:3]).unused == ()
    assert len(trace_numbers(prompt, []).unused) == 2


def test_the_years_of_dates_in_words_may_be_divided() -> None:
    prompt = "It is a Sunday on September 27, 1931. Which weekday is November 9, 1932?"
    assert trace_numbers(prompt, ["32 = 4 * 8 + 0", "32 mod 4 = 0"]).steps[0].traced
