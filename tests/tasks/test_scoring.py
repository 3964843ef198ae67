"""Scoring: the whole answer by its type, and nothing but the answer."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuili.steps import Context
from tuili.tasks import Problem, Split, domain_names, generate, score
from tuili.tasks.scoring import last_number, same_amount, same_answer


def problem(answer: str) -> Problem:
    return Problem("arithmetic", 1, 0, 0, "What is it?", ("1 + 1 = 2",), answer, Context())


@pytest.mark.parametrize(
    ("expected", "given_answer"),
    [
        ("5", "5.0"),
        ("0.5", "0.50"),
        ("5/4", "5/4"),
        ("20 cm^2", "20.0 cm^2"),
        ("6 N", "6 kg*m/s^2"),
        ("3 hours", "3 h"),
        ("30 J/(kg*K)", "30 J/(K*kg)"),
        ("50%", "50.0%"),
        ("yes", "Yes"),
        ("Ann", "ANN"),
        ("Ann, Bob", "ann, bob"),
        ("Friday", "friday"),
        ("2024-03-01", "2024-03-01"),
        ("no cats are dogs", "No cats are dogs"),
    ],
)
def test_the_same_amount_in_another_form_scores(expected, given_answer):
    assert score(problem(expected), given_answer) == 1.0
    assert score(problem(expected), f"<think>\n1 + 1 = 2\n</think>{given_answer}<|end|>") == 1.0


@pytest.mark.parametrize(
    ("expected", "given_answer"),
    [
        ("5/4", "10/8"),
        ("3/8", "15/40"),
        ("99/125", "0.792"),
        ("-3", "-6/2"),
        ("24", "48/2"),
        ("1/2", "50%"),
        ("50%", "0.5"),
        ("0.5", "1/2"),
        ("20 cm^2", "0.002 m^2"),
        ("90 min", "1.5 h"),
        ("36 km/h", "10 m/s"),
        ("20 m", "20%"),
        ("20 m", "20 m*(7-6)"),
        ("20 m", "20 m*1"),
        ("20 m/s", "20 m/(s"),
        ("5", ""),
        ("5", "six"),
        ("5", "5 apples"),
        ("5", "4 + 1"),
        ("5", "5 or 6"),
        ("5", "5\n5"),
        ("5", "5."),
        ("5", "the answer is 5"),
        ("5", "15"),
        ("5", "5 cm"),
        ("5", "\u0665"),
        ("5/4", "5/0"),
        ("5 cm", "5"),
        ("5 cm", "5 s"),
        ("5 cm", "5 CM"),
        ("5 mJ", "5 MJ"),
        ("yes", "yes no"),
        ("yes", "y"),
        ("no", "not"),
        ("Ann", "Anna"),
        ("Ann, Bob", "Bob, Ann"),
        ("Kim", "\u212aim"),
        ("14:30", "2:30 pm"),
    ],
)
def test_anything_else_does_not(expected, given_answer):
    assert score(problem(expected), given_answer) == 0.0
    assert score(problem(expected), f"<think>\n1 + 1 = 2\n</think>{given_answer}") == 0.0


@pytest.mark.parametrize(
    "response",
    [
        "<think>\n4 + 1 = 5\n5",
        "<think>\n4 + 1 = 5\n",
        "<think>5",
        "so <think>\n4 + 1 = 5\n</think>5",
        "<think>\n</think>5</think>5",
        "4 + 1 = 5\n</think>5",
    ],
)
def test_an_unfinished_or_broken_response_answers_nothing(response):
    assert score(problem("5"), response) == 0.0


@pytest.mark.parametrize("response", ["5<|end|><think>", "<think>\n4 + 1 = 5\n</think>5<|end|><think>"])
def test_nothing_behind_the_end_counts(response):
    assert score(problem("5"), response) == 1.0


def test_wrong_steps_do_not_change_the_score():
    assert score(problem("5"), "<think>\n2 + 2 = 5\nnonsense\n</think>5") == 1.0


@given(st.fractions(max_denominator=10**6), st.integers(2, 50))
def test_a_fraction_counts_in_lowest_terms_only(number, scale):
    text = f"{number.numerator}/{number.denominator}"
    assert same_answer(text, text)
    assert not same_answer(text, f"{number.numerator * scale}/{number.denominator * scale}")
    assert not same_answer(str(number), str(number + 1))


@given(st.integers(-(10**6), 10**6), st.integers(1, 4))
def test_decimals_are_exact(numerator, places):
    number = Fraction(numerator, 10**places)
    sign = "-" if numerator < 0 else ""
    digits = f"{abs(numerator):0{places + 1}}"
    written = f"{sign}{digits[:-places]}.{digits[-places:]}"
    assert same_answer(written, written + "0")
    assert same_answer(written, str(number)) is (number.denominator == 1)
    assert not same_answer(written, written + "1")


@given(st.text(max_size=60), st.sampled_from(["5", "1/2", "20 cm^2", "yes", "Ann", "14:30"]))
def test_no_text_makes_scoring_fail_or_give_part_of_the_credit(text, answer):
    assert score(problem(answer), text) in (0.0, 1.0)
    assert score(problem(answer), f"{answer} {text}") == float(not text.strip() or text.lstrip().startswith("<|end|>"))


def test_a_hostile_answer_is_only_wrong():
    for text in ("9" * 10**6, "1/" + "9" * 10**5, "9^9^9^9", "(" * 10**5, "1e999999"):
        assert score(problem("5"), text) == 0.0


# The minutes of a clock time are no amount: a film until 17:05 may well last 5 minutes.
AMOUNT = re.compile(r"(?<![\d:])-?\d+(?: ?/ ?\d+|\.\d+)?(?:%| [A-Za-z][\w*/^()]*)?")


@pytest.mark.parametrize("name", domain_names())
@pytest.mark.parametrize("level", [1, 2, 3])
def test_no_question_holds_its_answer_in_another_form(name, level):
    """Copying a number of the question must not score: `Reduce 15/40` is not answered by 15/40."""
    for index in range(40):
        problem = generate(name, Split.TEST.seed(3), index, level)
        copies = {copy.replace(" / ", "/") for copy in AMOUNT.findall(problem.prompt)}
        copies |= {copy.partition(" ")[0] for copy in copies}
        assert {copy for copy in copies if score(problem, copy)} <= {problem.answer}


@pytest.mark.parametrize(
    ("expected", "given", "same"),
    [
        ("72", "72.0", True),
        ("1/2", "0.5", True),
        ("1000", "1,000", True),
        ("72", " 72\n", True),
        ("-3", "3", False),
        ("72", "72 apples", False),
        ("72", "0172", False),
        ("yes", "Yes", True),
        ("5 m", "5.0 m", True),
        ("72", "", False),
        ("72", "9" * 10**6, False),
    ],
)
def test_amounts_are_the_same_whatever_their_form(expected: str, given: str, same: bool):
    assert same_amount(expected, given) is same


@pytest.mark.parametrize(
    ("expected", "given_answer"),
    [
        ("1,200", "1200"),
        ("-3", "-6/2"),
        ("0.25", "0.24917"),
        ("83.33", "250/3"),
        ("7.142857142857143", "50/7"),
        ("0.8333333333333334", "0.83333333333333333"),
        ("-0.67", "-2/3"),
        ("3.14", " 3.14159 "),
    ],
)
def test_numbers_are_the_same_by_value(expected, given_answer):
    assert same_amount(expected, given_answer)


@pytest.mark.parametrize(
    ("expected", "given_answer"),
    [
        ("5", "5.001"),
        ("0.5", "0.45"),  # one place behind the point may be exact
        ("0.25", "0.3"),
        ("0.25", "0.256"),
        ("3.14159", "3.14"),
        ("3/8", "15/40"),  # one may be asked for in lowest terms
        ("5", "five"),
        ("5", "5 m"),
        ("5", ""),
        ("0.67", "-2/3"),
        ("5", "1/0"),
    ],
)
def test_numbers_of_another_value_are_not_the_same(expected, given_answer):
    assert not same_amount(expected, given_answer)


@given(st.fractions(-1000, 1000, max_denominator=10**4), st.integers(0, 9))
def test_a_number_is_the_same_as_what_it_rounds_to_and_not_as_another(number, places):
    rounded = Fraction(round(number * 10**places), 10**places)
    text = f"{float(rounded):.{places}f}"
    written = str(number)
    assert same_amount(text, written) is (places >= 2 or number == rounded)
    assert not same_amount(f"{float(rounded + Fraction(2, 10 ** min(places, 6))):.{places}f}", written)


@pytest.mark.parametrize(
    ("text", "last"),
    [("It is 12.", "12"), ("1,250.50 of 3,000", "3000"), ("x2 and 5/7", "5/7"), ("-4", "-4"), ("none", ""), ("", "")],
)
def test_the_last_number_of_a_text(text, last):
    assert last_number(text) == last
