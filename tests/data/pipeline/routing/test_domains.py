"""A text belongs to the domain whose words it has, or to none."""

from __future__ import annotations

from collections import Counter

import pytest

from tuili.data.pipeline.routing.domains import domain_of
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
        "春天来了，花园里的花都开了，孩子们在树下唱歌。",
    ],
)
def test_other_texts_belong_to_none(text: str) -> None:
    assert domain_of(text) is None


def test_a_long_text_needs_more_than_a_few_words_of_a_domain() -> None:
    page = PAGES["geometry"]
    assert domain_of(f"{page} {'and so on and on it goes with many words ' * 10}") == "geometry"
    assert domain_of(f"A triangle was drawn. {'and so on and on it goes with many words ' * 200}") is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_most_problems_of_the_domains_go_to_their_own_and_few_to_another(language: str) -> None:
    routed = Counter[str]()
    for domain in set(BUILT_IN_DOMAINS) - {"composed"}:  # which is of two domains
        for problem in in_every_form(domain, 0, 2, language=language):
            found = domain_of(problem.prompt)
            routed["own" if found == domain else "none" if found is None else "other"] += 1
    assert routed["own"] / routed.total() > 0.5
    assert routed["other"] / routed.total() < 0.06
