"""Which numbers of a question may be changed."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tuili.data.multiplying.implied import implied_values
from tuili.data.multiplying.mentions import mentions
from tuili.data.multiplying.number_words import LARGEST, number_in_words, read_number
from tuili.data.multiplying.ranges import candidates


@pytest.mark.parametrize(
    ("text", "changing"),
    [
        ("He has 3 cats, 12.5 kg of meat and $1,250.75.", ["3", "12.5", "1,250.75"]),
        ("Twelve boys ate twenty-one pies; 30% of them were apple pies.", ["Twelve", "twenty-one", "30"]),
        ("An 8-mile run, an 11-year-old, 20cm and 3 dozen eggs", ["8", "11", "20", "3"]),
        ("The 5th of May 2015 at 7:30, at 6 pm and in 1999.", []),
        ("On page 30 of grade 5, in room 12, Apollo 11 and route 66", []),
        ("1/2 of it, 2 1/2 cups, 3/4 cup, two-thirds, three and a half, 7-11 and 4 x 6", []),
        ("7 days, 24 hours, 60 minutes, 12 inches, 365 days, 100 cents", []),
        ("A dog has 4 legs, a bike 2 wheels, a guitar 6 strings, a 20 dollar bill", []),
        ("There are 128 ounces in a gallon. The two of them ate 0 or 1.", []),
        ("2 sisters: Ann and Bea. Three boys, Al, Bo and Cy, came.", []),
        ("0.33333 of them, 5 thousand, 2.5 million", ["5", "2.5"]),
        ("In the 2018 Quiz there were more than in 2019 as in 2020.", []),
        ("There are 2.54 centimeters per inch, and a deck has 55 cards.", []),
        ("He has 3 cats; Al, Bo and Cy.", []),
        ("One fluid ounce is equal to 30 ml. Each gallon has 16 cups, a box 20 cups.", ["20"]),
        ("A pound is 5 dollars, a cup holds 8 beans.", ["5", "8"]),
        ("mp3 x2 A4 5G #9", []),
        ("On 5 May and June 7, 2015, he bought an iPhone 12 with 3 cases.", ["3"]),
        ("She gave Tom 5 pens, £3.50 and 40€, and got a 20£ bill and a 10 pound note.", ["5", "3.50", "40"]),
    ],
)
def test_numbers_that_may_be_changed(text: str, changing: list[str]) -> None:
    assert [text[one.start : one.end] for one in mentions(text) if not one.fixed] == changing


@pytest.mark.parametrize("value", range(2, LARGEST + 1))
def test_numbers_in_words_are_read_back(value: int) -> None:
    assert read_number(number_in_words(value)) == value
    assert [one.value for one in mentions(f"He has {number_in_words(value)} cows.")] == [value]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("two dozen eggs", ["12"]),
        ("half of it, twice a week", ["1/2", "2", "7"]),
        ("an hour", ["60"]),
        ("2/5 of them, three-fourths of those", ["2/5", "3/5", "5", "3/4", "1/4"]),
        ("30% off", ["100"]),
    ],
)
def test_what_words_imply(text: str, values: list[str]) -> None:
    assert {Fraction(value) for value in values} <= implied_values(text)


def test_inches_behind_feet_and_ounces_behind_pounds_stay_below_the_next_of_these() -> None:
    inches, ounces = mentions("He is 5 feet 9 inches tall and weighs 80 pounds and 9 ounces.")[1::2]
    assert max(candidates([inches])) == 11
    assert max(candidates([ounces])) == 14


@pytest.mark.parametrize(
    ("text", "least", "most", "step"),
    [
        ("3 cats", 2, 9, 1),
        ("120 cats", 48, 300, 10),
        ("35% of it", 15, 85, 5),
        ("He works 8 hours a day.", 2, 12, 1),
        ("Tom is 40 years old.", 30, 54, 5),
        ("nine cats", 2, 12, 1),
        ("He pays $1.25.", "1/2", 3, "1/4"),
        ("He pays £1.25.", "1/2", 3, "1/4"),
        ("It is long and 9 inches wide.", 2, 15, 1),
    ],
)
def test_other_values_are_near_and_as_round(text: str, least: int, most: int, step: str) -> None:
    (mention,) = mentions(text)
    found = candidates([mention])
    assert found
    assert Fraction(least) <= min(found) <= max(found) <= Fraction(most)
    assert all(Fraction(value) % Fraction(step) == 0 for value in found)
    assert mention.value not in found


def test_numbers_of_one_value_get_values_that_each_of_them_can_be_written_with() -> None:
    for text, most in (
        ("$2.50 or $2.5", 10),
        ("0.5 or 0.50", 10),
        ("$4.00 for 4 pens", 1),
        ("four pens of 4.0 grams", 1),
    ):
        found = candidates(mentions(text))
        assert found
        assert all((value * most).denominator == 1 for value in found)
