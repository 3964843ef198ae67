"""Determines the domain of a text from the words in `domains.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml

from tuili.tasks import BUILT_IN_DOMAINS

STRONG, LEAST, MOST, WORDS_A_POINT = 3, 3, 8, 200
"""The points of a strong word; and the points that a text needs: one per so many words, between least and most."""
WORDS_A_WEAK_ONE = 8
"""Weak words alone suffice only for an exercise: a text that asks or has numbers, with one per so many words."""
_ASKS = re.compile(r"[0-9?？]")
MAX_READ = 50_000
"""The number of characters at the start of a text that determine its domain."""
_TOKEN = re.compile(r"[a-z]+(?:['.-][a-z]+)*|[\u4e00-\u9fff]+")


def domain_of(text: str) -> str | None:
    """The domain whose words a text has most of; None if it has few of any. Of equal domains, the first in order."""
    text = text[:MAX_READ]
    scores, strong, words = _scores(text)
    least = min(MOST, max(LEAST, words // WORDS_A_POINT))
    of_weak = max(least, -(-words // WORDS_A_WEAK_ONE)) if _ASKS.search(text) else None
    needed = {name: least if name in strong else of_weak for name in scores}
    fitting = {name: scores[name] for name, most in needed.items() if most is not None and scores[name] >= most}
    return max(filter(fitting.__contains__, BUILT_IN_DOMAINS), key=fitting.__getitem__, default=None)


def _scores(text: str) -> tuple[dict[str, int], set[str], int]:
    """The score of each domain, the domains with a strong word or a pattern, and the number of words; a Chinese word
    counts as two characters."""
    tokens = _TOKEN.findall(text.lower())
    count = sum((len(token) + 1) // 2 if token[0] > "\u4dff" else 1 for token in tokens)
    scores = {
        name: STRONG * sum(bool(pattern.search(text)) for pattern in found) for name, found in _patterns().items()
    }
    strong = {name for name, value in scores.items() if value}
    for word in _known_words(tokens):
        for name, value in _known()[word]:
            scores[name] = scores.get(name, 0) + value
            if value == STRONG:
                strong.add(name)
    return scores, strong, count


def _known_words(tokens: Sequence[str]) -> set[str]:
    """The words and phrases of `domains.yaml` among tokens, also with an appended s."""
    known, longest, seen = _known(), _longest(), set[str]()
    for place, token in enumerate(tokens):
        if token[0] > "\u4dff":
            for start, first in enumerate(token):
                seen.update(token[start : start + n] for n in range(1, longest.get(first, 0) + 1))
        elif token in longest:
            phrases = (" ".join(tokens[place : place + n]) for n in range(1, longest[token] + 1))
            seen.update(one for phrase in phrases for one in (phrase, phrase.removesuffix("s")))
    return seen & known.keys()


@cache
def _longest() -> dict[str, int]:
    """Maps the first word, or Han character, of the known phrases to the length of the longest such phrase."""
    longest = dict[str, int]()
    for phrase in _known():
        parts = list(phrase) if phrase[0] > "\u4dff" else phrase.split()
        for first in (parts[0], f"{parts[0]}s"):
            longest[first] = max(longest.get(first, 0), len(parts))
    return longest


@cache
def _known() -> dict[str, list[tuple[str, int]]]:
    """Maps each word or phrase to the domains that it indicates, with its points."""
    known = dict[str, list[tuple[str, int]]]()
    for name, words in _listed().items():
        for strength, value in (("strong", STRONG), ("weak", 1)):
            for word in words[strength]:
                known.setdefault(str(word), []).append((name, value))
    return known


@cache
def _patterns() -> dict[str, list[re.Pattern[str]]]:
    """The regular expressions that indicate each domain."""
    return {name: list(map(re.compile, words.get("patterns", ()))) for name, words in _listed().items()}


@cache
def _listed() -> dict[str, dict[str, list[str]]]:
    read: dict[str, dict[str, list[str]]] = yaml.safe_load(
        (Path(__file__).parent / "domains.yaml").read_text(encoding="utf-8")
    )
    return read
