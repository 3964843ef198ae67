"""Noise changes words that do not matter for the response, and nothing else."""

from __future__ import annotations

import random
import re
from itertools import product

import pytest

from tuili.tasks import Language, Problem, generate, with_noise

DOMAINS = ("number_theory", "programming", "syllogism", "word_problems")


def problems(language: Language) -> list[Problem]:
    return [
        generate(name, 3, index, 1, wording="seen", language=language) for name, index in product(DOMAINS, range(40))
    ]


def noisy(problem: Problem) -> str:
    return with_noise(problem, random.Random(problem.id), DOMAINS)


@pytest.mark.parametrize("language", list(Language))
def test_what_the_response_needs_is_kept_in_its_order(language: Language) -> None:
    for problem in problems(language):
        response = "\n".join((*problem.steps, problem.answer)).lower()
        if language is Language.EN:
            words = {*re.findall(r"[a-z]+|\d+|[^\sa-z]", response)}
            kept = [word for word in re.findall(r"[a-z]+|\d+|[^\sa-z]", problem.prompt.lower()) if word in words]
            left = [word for word in re.findall(r"[a-z]+|\d+|[^\sa-z]", noisy(problem).lower()) if word in words]
            added = iter(left)
            assert all(word in added for word in kept), (problem.prompt, noisy(problem))
        assert re.findall(r"[\d+*/=<>]+", noisy(problem)) == re.findall(r"[\d+*/=<>]+", problem.prompt)


@pytest.mark.parametrize("language", list(Language))
def test_some_words_are_replaced_left_out_and_added(language: Language) -> None:
    given = problems(language)
    changed = [(problem.prompt, noisy(problem)) for problem in given]
    assert 0.5 < sum(before != after for before, after in changed) / len(changed) < 1
    assert any(len(after) < len(before) for before, after in changed)
    assert any(len(after.split()) > len(before.split()) for before, after in changed)
    assert [noisy(problem) for problem in given] == [after for _, after in changed]


def test_lines_with_labels_and_lines_of_programs_are_kept() -> None:
    formal = re.compile(r"\b[A-Z]\d+: |^\s|^def ")
    for name, index in product(("programming", "propositional", "tracing"), range(60)):
        problem = generate(name, 3, index, 2, wording="seen", language="en")
        kept = [line for line in problem.prompt.split("\n") if formal.search(line)]
        assert [line for line in noisy(problem).split("\n") if formal.search(line)] == kept
