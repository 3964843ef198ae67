"""Noise in the words of a prompt, so that a model learns to understand sentences that it has never read.

Words that do not matter for the response are replaced, removed or added, as in Wei and Zou (2019, arXiv 1901.11196),
but with words of other forms instead of synonyms. Numbers, formulas, the words of the response, labelled lines and
lines of programs stay unchanged.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

from tuili.tasks.content import Language, Wording
from tuili.tasks.problem import Problem
from tuili.tasks.wordings.forms import Form, forms_of
from tuili.tasks.wordings.template import Template

HIGHEST_RATE = 0.4
"""The share of words that are changed is drawn uniformly between 0 and this."""
REPLACED, REMOVED = 0.6, 0.25
"""Shares of the changes; the other changes add a word."""
_WORD = re.compile(r"[A-Za-z][a-z]+|[\u4e00-\u9fff]{1,2}")
"""An English word, or one or two Chinese characters."""
_CHARACTER = re.compile(r"[\u4e00-\u9fff]")
_SPACES = re.compile(" {2,}")
_FORMAL = re.compile(r"\b[A-Z]\d+: |^\s|^def ")
"""Matches in a line with labelled statements and in a line of a program."""


def with_noise(problem: Problem, rng: random.Random, domains: tuple[str, ...]) -> str:
    """The prompt of a problem with some words changed. New words come from the seen forms of these domains."""
    rate = rng.random() * HIGHEST_RATE
    response = "\n".join((*problem.steps, problem.answer)).lower()
    kept = {*_WORD.findall(response), *_CHARACTER.findall(response)}
    words = _words(problem.language, domains)

    def changed(match: re.Match[str]) -> str:
        word = match[0]
        if word.lower() in kept or not kept.isdisjoint(word) or rng.random() >= rate:
            return word
        kind = rng.random()
        if kind < REPLACED:
            return rng.choice(words)
        return "" if kind < REPLACED + REMOVED else f"{word} {rng.choice(words)}"

    lines = problem.prompt.split("\n")
    return "\n".join(
        line if _FORMAL.search(line) else _SPACES.sub(" ", _WORD.sub(changed, line)).strip() for line in lines
    )


@cache
def _words(language: Language, domains: tuple[str, ...]) -> tuple[str, ...]:
    """The words of all seen forms of these domains and of their phrases, without the contents of slots."""
    forms = (form for domain in domains for form in forms_of(domain, language, Wording.SEEN))
    once = {id(template): template for form in forms for template in _templates(form)}  # forms share their phrases
    texts = (text for template in once.values() for text in template.literals())
    return tuple(sorted({word for text in texts for word in _WORD.findall(text)}))


def _templates(form: Form) -> Iterator[Template]:
    yield form.text
    for phrases in form.phrases.values():
        yield from phrases.values()
