"""The numbers of a text and of a term."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tuili.steps import parse_statement
from tuili.steps.sources.numbers import Key, numerals, numerals_of_text


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("P1: x2 = 3, then 4kg and 2y", [3, 4, 2]),
        ("有12个，再买１,２３４个", [12, 1234]),
        ("1/2 of 0.5 is 25%", [Fraction(1, 2), Fraction(1, 2), 25]),
        ("On 2024-03-01 at 14:30, in 2024-02", [("date", 2024, 3, 1), ("time", 14, 30, 0), ("month", 2024, 2, 0)]),
        ("from February 11, 2015 to 3rd of May 2015", [("date", 2015, 2, 11), ("date", 2015, 5, 3)]),
        (
            "11 Feb. 2015, sept 2, 2015, in March 2016",
            [("date", 2015, 2, 11), ("date", 2015, 9, 2), ("month", 2016, 3, 0)],
        ),
        ("2015年2月11日, 2016年3月, 5月6号", [("date", 2015, 2, 11), ("month", 2016, 3, 0), ("day", 0, 5, 6)]),
        ("In 2015, May 3 and 4 June.", [2015, ("day", 0, 5, 3), ("day", 0, 6, 4)]),
        ("May 3 students march 11 km by bus 4, 2015 in all?", [3, 11, 4, 2015]),
        ("May 32, 2015; 12 Mayors; octopus 8, 2015", [32, 2015, 12, 8, 2015]),
        ("It is tuesday, 周日", [("weekday", 1, 0, 0), ("weekday", 6, 0, 0)]),
        ("1/0", [1]),
        ("9" * 601, []),
    ],
)
def test_numbers_of_a_text(text: str, keys: list[Key]) -> None:
    assert [numeral.key for numeral in numerals_of_text(text)] == keys


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("1. A race of 3 min.\n (2) A break of 4 min.", ["1", "2"]),
        ("On a 24-hour clock it is 14:30 (HH:MM, 24 hours); 24小时制.", ["24", "24", "24"]),
        ("A trip of 24 hours ends. 5. is no item.", []),
    ],
)
def test_some_numbers_name_something(text: str, apart: list[str]) -> None:
    assert [numeral.text for numeral in numerals_of_text(text) if numeral.is_apart] == apart


def test_numbers_of_a_term() -> None:
    found = list(numerals(parse_statement("{-8, 3/4} union {20%, 3 kg} = {14:30, Monday}")))
    assert [numeral.text for numeral in found] == ["8", "3/4", "20", "3", "14:30", "Monday"]
    assert [numeral.parts for numeral in found] == [(), (3, 4), (), (), (14, 30), ()]
