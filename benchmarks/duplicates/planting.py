"""Documents for the benchmark of duplicates: drawn word by word from the pairs of words of real text, with copies whose
words are edited and questions whose numbers, case and spacing are changed planted among them.

Drawn from few pairs, they share more of them than documents of a corpus do: a hard case for precision.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from benchmarks.harness.record import ROOT
from tuili.tasks import BUILT_IN_DOMAINS, in_every_form, unseen_problems

WORDS = (100, 600)
_SHORTEST_QUESTION = 20


class Language(NamedTuple):
    """Words of a language as real text has them one behind the other."""

    words: list[str]
    space: str
    followers: dict[str, list[str]]

    @classmethod
    def of(cls, words: list[str], space: str) -> Language:
        """The language of a text."""
        followers = defaultdict[str, list[str]](list)
        for one, other in pairwise(words):
            followers[one].append(other)
        return cls(words, space, dict(followers))

    def draw(self, rng: random.Random) -> list[str]:
        """A text, as its words."""
        text, length = [rng.choice(self.words)], rng.randint(*WORDS)
        while len(text) < length:
            text.append(rng.choice(self.followers.get(text[-1], self.words)))
        return text

    def edit(self, rng: random.Random, text: Sequence[str], share: float) -> list[str]:
        """A text of which a share of the words is replaced by other ones, removed, or followed by others."""
        places, edited = set(rng.sample(range(len(text)), round(share * len(text)))), list[str]()
        for place, word in enumerate(text):
            if place in places:
                other = rng.choice(self.words)
                while other == word:
                    other = rng.choice(self.words)
                edited += rng.choice(([other], [], [word, other]))
            else:
                edited.append(word)
        return edited


def english() -> Language:
    """The words of Tuili's pages."""
    pages = "\n".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))
    return Language.of(re.findall(r"\w+|[.,:;]", pages), " ")


def chinese() -> Language:
    """The characters of problems in every Chinese form."""
    problems = (in_every_form(domain, 0, level, language="zh") for domain in BUILT_IN_DOMAINS for level in (1, 2, 3))
    return Language.of([*"".join(problem.prompt for made in problems for problem in made)], "")


def questions(count: int, seed: int) -> list[str]:
    """Problems of the test split with some words at least, in English and Chinese."""
    found = list[str]()
    per_cell = 2 + 2 * count // len(BUILT_IN_DOMAINS)  # more than half are long enough
    for problem in unseen_problems(BUILT_IN_DOMAINS, [2], per_cell, seed, language=("en", "zh")):
        if len(re.findall(r"[A-Za-z]{2,}|[\u4e00-\u9fff]", problem.prompt)) >= _SHORTEST_QUESTION:
            found.append(problem.prompt)
    random.Random(seed).shuffle(found)
    return found[:count]


def changed(rng: random.Random, question: str) -> str:
    """A question with other numbers, case, spacing and punctuation."""
    question = re.sub(r"\d+", lambda found: str(rng.randrange(10 ** len(found[0]))), question)
    question = rng.choice((str.upper, str.lower, str.title))(question)
    return re.sub(r"[.,:;?!，。？：]?\s+", lambda _: rng.choice((" ", "  ", "\n", " - ")), question)
