"""The table of stated constants: which words of a prompt allow which numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tuili.steps.sources.stated import COUNTING_DOWN, stated, without_examples


@pytest.mark.parametrize(
    ("prompt", "number"),
    [
        ("How many minutes are 3 h?", 60),
        ("3小时是多少分钟？", 60),
        ("Today is Monday.", 7),
        ("今天星期一。", 7),
        ("Two angles of a TRIANGLE are 60 deg.", 180),
        ("A car drives at 36 km/h.", Fraction("3.6")),
    ],
)
def test_words_allow_constants(prompt: str, number: int | Fraction) -> None:
    assert number in stated(prompt).constants
    assert number not in stated("What is 48 + 27?").constants


def test_words_must_stand_alone_unless_they_have_endings() -> None:
    assert 24 not in stated("Dana hops.").constants
    assert 24 in stated("Some days.").constants


def test_words_say_numbers() -> None:
    assert 12 not in stated("Ann has apples.").words
    assert {2, 3} <= stated("Ann has twice as many as Bob, and a third of them are red.").words


def test_named_things_are_counted_where_they_are_put_in_order() -> None:
    said = stated("In how many orders can Sam, Kim, Zoe and Liz stand in a row?")
    assert COUNTING_DOWN in said.rules and 4 in said.words
    assert 3 in stated("小明、小红、小李排成一排，有多少种方法？").words


@pytest.mark.parametrize(
    ("prompt", "rest"),
    [
        ("Divide 437 by 5. Answer like 12 remainder 3.", "Divide 437 by 5.  ."),
        ("Write it as a product, like 2 * 2 * 7. Then add 1.", "Write it as a product .  Then add 1."),
        ("13 like grapes.", "13 like grapes."),
    ],
)
def test_examples_of_an_answer_are_left_out(prompt: str, rest: str) -> None:
    assert without_examples(prompt).split() == rest.split()
