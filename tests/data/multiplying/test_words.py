"""Other names and things: only where it is certain what is meant, the same everywhere, with the right article."""

from __future__ import annotations

import random
import re

import pytest

from tuili.data.multiplying.edits import Edit, apply
from tuili.data.multiplying.names import Names
from tuili.data.multiplying.things import Things


def variants(text: str, kind: type[Names] | type[Things], count: int = 60) -> set[str]:
    found, rng = kind(text), random.Random(0)
    return {apply(text, found.edits(rng)) for _ in range(count)}


@pytest.mark.parametrize(
    "text",
    [
        "Uncle Emma has 2 cards.",  # a name that does not fit
        "Emma Watson has 2 cards.",
        "He went to Saint Paul and to the Taylor family.",
        "Robert is called Bob by all. Robert has 2 cards.",
        "Emma has 2 cards, and EMMA has 3.",
        "Tom likes her cards; she has 2.",  # whoever this is
        "Rose has 2 cards.",
        "She lives in Victoria with 2 cats.",
    ],
)
def test_names_that_may_be_something_else_stay(text: str) -> None:
    assert variants(text, Names) == {text}


def test_a_person_may_own_what_something_is_in() -> None:
    assert len(variants("There are 2 cards in Victoria's hat.", Names)) > 10


def test_other_names_are_of_the_same_gender_and_the_same_everywhere() -> None:
    found = variants("Emma and Tom met. Then Emma's dog bit Tom, and Aunt Mary laughed.", Names)
    assert len(found) > 40
    for text in found:
        first, second = re.findall(r"^(\w+) and (\w+) met", text)[0]
        assert f"{first}'s dog bit {second}, and Aunt " in text
        assert len({first, second}) == 2


def test_names_in_small_letters_and_those_in_s() -> None:
    assert any("emma" not in text and text.islower() for text in variants("emma has 2 cards.", Names))
    changed = variants("James' dog likes James.", Names) - {"James' dog likes James."}
    assert changed
    assert all(re.fullmatch(r"(\w+)'s dog likes \1\.", text) for text in changed)


@pytest.mark.parametrize(
    "text",
    [
        "He bakes 2 apple pies from apples.",
        "A notebook has 40 pages. He has 2 notebooks.",
        "He has 2 rotten apples.",
        "Prices rose by 2 dollars for tulips in spring.",
        "She has 3 toy horses.",
    ],
)
def test_things_that_are_bound_to_other_words_stay(text: str) -> None:
    assert variants(text, Things) == {text}


def test_other_things_agree_in_number_and_article() -> None:
    found = variants("An apple costs 2 dollars. How much do 3 apples cost?", Things)
    assert len(found) > 4
    for text in found:
        match = re.fullmatch(r"(An?) (\w+) costs 2 dollars. How much do 3 (\w+) cost\?", text)
        assert match
        assert (match[1] == "An") == (match[2][0] in "aeiou")
        assert match[3].startswith(match[2][:3])
        assert match[3].endswith("s")


@pytest.mark.parametrize(
    ("text", "old", "new", "changed"),
    [
        ("an 8-mile run", "8", "7", "a 7-mile run"),
        ("a $5 bill", "5", "11", "an $11 bill"),
        ("A 12-year-old", "12", "18", "An 18-year-old"),
        ("a 12-year-old", "12", "110", "a 110-year-old"),
        ("a unit of one", "one", "eleven", "a unit of eleven"),
    ],
)
def test_articles_agree(text: str, old: str, new: str, changed: str) -> None:
    at = text.index(old)
    assert apply(text, [Edit(at, at + len(old), new)]) == changed
