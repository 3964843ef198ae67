"""A text belongs to the domain whose words it has, or to none."""

from __future__ import annotations

import random
import re
import time
from collections import Counter

import pytest

from tuili.data.pipeline.routing.domains import MAX_READ, _known, _known_words, _patterns, domain_of
from tuili.tasks import BUILT_IN_DOMAINS, in_every_form

PAGES = {
    "geometry": "The perimeter of a rectangle is twice the sum of its length and width; its area is their product.",
    "physics": "Kinetic energy is half the mass times the square of the speed, and momentum is mass times velocity.",
    "counting": "The probability of drawing two red balls at random is found by counting the ways to choose them.",
    "programming": "Write a function in Python that takes a list and returns the sum of its even elements.",
    "proofs": "Theorem. The square root of two is irrational. Proof. Suppose the contrary; a contradiction follows.",
    "calendar": "A leap year has 366 days, so that each date moves by two weekdays from year to year in March.",
    "number_theory": "Two integers are coprime when their greatest common divisor is 1, by the Euclidean algorithm.",
}


@pytest.mark.parametrize("domain", PAGES)
def test_a_page_is_routed_by_its_words(domain: str) -> None:
    assert domain_of(PAGES[domain]) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The committee met on the first floor and agreed to paint the door of the old house before the winter.",
        "Install the package, then restart the service and read its log.",
        "Energy prices rose again this week, and protests gained force in the capital. A wave of anger met the power "
        "company, whose current chief said that the pressure of work on its staff had grown. In the field outside the "
        "plant a mass of people stood in the heat; nobody knew who was in charge. The motion was lost by two votes.",
        "She could not lie to him. The truth was on the island, and the knight came.",
        "Each of the guests gave a gift, and the couple spent half of the week with a friend. They bought a cake at a "
        "price that nobody would tell, and paid for the band. Altogether it was twice the fun. He left early.",
        "The claim fails. Suppose that the deed was signed: hence the lease was void, and therefore the respondent "
        "must prove the contrary. No proof was given. The court below held the reverse, an arbitrary contradiction.",
        "Redistribution and use of the source code, with or without changes, are permitted where the class of users is "
        "told\nfrom whom it comes. No module may return without this list; the code of others is listed below.",
        "春天来了，花园里的花都开了，孩子们在树下唱歌。",
    ],
)
def test_other_texts_belong_to_none(text: str) -> None:
    assert domain_of(text) is None


def test_words_and_phrases_are_those_of_a_search_for_every_run_of_words() -> None:
    rng, phrases = random.Random(0), sorted(_known())
    tokens = [token for phrase in phrases for token in phrase.split()]
    for _ in range(50):
        drawn = [rng.choice(rng.choice((phrases, tokens))) + rng.choice(("", "s", "")) for _ in range(40)]
        text = " ".join(drawn).replace("真s", "真")
        words = text.split()
        runs = {" ".join(words[start : start + n]) for start in range(len(words)) for n in range(1, 9)}
        pieces = {
            word[start:end] for word in words for start in range(len(word)) for end in range(start + 1, len(word) + 1)
        }
        wanted = {one for one in phrases if one in runs or f"{one}s" in runs or (one[0] > "\u4dff" and one in pieces)}
        assert _known_words(words) == wanted


def test_a_long_text_needs_more_than_a_few_words_of_a_domain() -> None:
    page = PAGES["geometry"]
    assert domain_of(f"{page} {'and so on and on it goes with many words ' * 10}") == "geometry"
    assert domain_of(f"A triangle was drawn. {'and so on and on it goes with many words ' * 200}") is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_problems_of_the_domains_go_to_their_own_rather_than_to_another(language: str) -> None:
    """The words were chosen for such problems: this says nothing of documents."""
    routed = Counter[str]()
    for domain in set(BUILT_IN_DOMAINS) - {"composed"}:  # which is of two domains
        for problem in in_every_form(domain, 3, 1, language=language)[::4]:
            found = domain_of(problem.prompt)
            routed["own" if found == domain else "none" if found is None else "other"] += 1
    assert routed["own"] > 8 * routed["other"]


def test_weak_words_make_a_domain_of_an_exercise_alone() -> None:
    words = "Ann gave half of it to each friend and paid twice."
    assert domain_of(f"{words} How many were there?") == "word_problems"
    assert domain_of(words) is None
    assert domain_of(f"{words} How many were there? {'It is a long story about the sea. ' * 12}") is None


RUNS = (
    "1",
    "\n",
    " ",
    "a",
    "1a",
    "-1",
    "A ",
    "12:30 ",
    "所有",
    "小明比小红",
    "Ann is taller ",
    "L1: a = 1\n",
    "from a",
)


@pytest.mark.parametrize("domain", _patterns())
def test_the_work_of_a_pattern_grows_with_the_length_of_a_text(domain: str) -> None:
    """Were it by the square, a text four times as long took sixteen times as much. Nothing but time tells it,
    so one of five tries is enough, which no other work on the machine spoils."""

    def seconds(pattern: re.Pattern[str], text: str) -> float:
        begin = time.process_time()
        pattern.search(text)
        return time.process_time() - begin

    for pattern in _patterns()[domain]:
        for run in RUNS:
            text = (run * MAX_READ)[:MAX_READ]
            part = text[: MAX_READ // 4]
            tries = (seconds(pattern, text) < 0.1 + 8 * seconds(pattern, part) for _ in range(5))
            assert any(tries), (pattern.pattern, run)
