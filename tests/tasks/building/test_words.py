"""The word lists: short, plain, and free of words that mean something in the step language."""

from __future__ import annotations

import pytest

from tuili.steps.language.grammar import FUNCTIONS, KEYWORDS
from tuili.steps.language.units import UNITS
from tuili.tasks.building import words
from tuili.tasks.building.wording import labelled, yes_no
from tuili.tasks.domains.propositional import EVENT_ATOMS, LETTER_ATOMS

LISTS = {name: value for name, value in vars(words).items() if isinstance(value, tuple)}


@pytest.mark.parametrize("name", LISTS)
def test_words_are_short_and_different(name):
    assert len(set(LISTS[name])) == len(LISTS[name])
    assert all(word.isalpha() and word.isascii() and len(word) <= 8 for word in LISTS[name])


def test_names_and_atoms_mean_nothing_else():
    assert {*KEYWORDS, *FUNCTIONS}.isdisjoint((*words.FIRST_NAMES, *words.CLASS_NOUNS, *words.VARIABLES, *EVENT_ATOMS))
    assert set(UNITS).isdisjoint((*words.FIRST_NAMES, *words.CLASS_NOUNS, *EVENT_ATOMS))
    assert {"P", "L"}.isdisjoint(LETTER_ATOMS)


def test_plurals_have_a_regular_singular():
    for plural in words.THINGS + words.CLASS_NOUNS + words.CONTAINERS:
        assert words.singular(plural) + "s" == plural


def test_small_pieces():
    assert labelled(["A -> B", "A"]) == {"P1": "A -> B", "P2": "A"}
    assert (yes_no(True), yes_no(False)) == ("yes", "no")
