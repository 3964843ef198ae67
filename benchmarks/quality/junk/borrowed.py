"""Junk by generators that others wrote, for the test: their rules and word lists are read, none of their code is run.

`bsgen` and `nabg` are templates for essays that say nothing, `essential-generators` a table of which word follows which
two in an encyclopedia, `chinesegen` a list of common Chinese characters that are strung together.
"""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TOPICS = {
    "zh": ["学习", "早起", "人工智能", "环境保护", "读书", "旅行", "友谊", "创业", "健康", "音乐"],
    "en": ["recycling", "chess", "homework", "social media", "democracy", "coffee", "sleep", "football", "painting"],
}
Templates = Mapping[str, Sequence[str]]


def essay(file: Path, language: str, rng: random.Random) -> str:
    """An essay of bsgen: sentences whose marks, such as `T[before]`, stand for others; x stands for the topic."""
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    templates: Templates = read["data"]
    order = [name for names in read["rules"] for name in names]
    topic, parts = rng.choice(TOPICS[language]), list[str]()
    for _ in range(rng.randint(4, 9)):
        for name in order:
            part = rng.choice(templates[name])
            for other in templates:
                part = part.replace(other, rng.choice(templates[other])) if other in part else part
            parts.append(part)
        parts += ["\n\n"] if rng.random() < 0.2 else [] if language == "zh" else [" "]
    return re.sub(r"\bxx\b" if language == "en" else "x", topic, "".join(parts))


def literal(file: Path) -> dict[str, list[str]]:
    """The lists of a Python file that holds nothing but one dictionary."""
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.AnnAssign) and statement.value:
            return dict(ast.literal_eval(statement.value))
    raise ValueError(f"{file} has no dictionary")


def platitudes(patterns: Templates, words: Templates, rng: random.Random) -> str:
    """Sentences of nabg: `${name}` stands for a word."""

    def replaced(found: re.Match[str]) -> str:
        return rng.choice(words.get(found[1], ["energy"]))

    sentences = [line for lines in patterns.values() for line in lines]
    drawn = (re.sub(r"\$\{(\w+)\}", replaced, rng.choice(sentences)) for _ in range(rng.randint(8, 40)))
    return "".join(sentence + ("\n\n" if rng.random() < 0.15 else " ") for sentence in drawn)


def chained(chain: Mapping[str, Any], starts: Sequence[str], rng: random.Random) -> str:
    """A text of essential-generators: which words follow two others, and how often."""
    words = rng.choice(starts).split(" ")
    for _ in range(rng.randint(80, 500)):
        found = chain.get(" ".join(words[-2:]), {})
        known = found.get("transitions")  # of some words none is known
        words += [rng.choices(known, found["weights"])[0]] if known else rng.choice(starts).split(" ")
    return " ".join(words).replace("<br/>", "\n")


def strung(file: Path, rng: random.Random) -> str:
    """Characters of chinesegen, with a mark of punctuation here and there."""
    listed = "".join(chr(int(code, 16)) for code in re.findall(r"\\u([0-9a-f]{4})", file.read_text(encoding="utf-8")))
    sentences = ("".join(rng.choices(listed, k=rng.randint(5, 18))) + rng.choice("，。。") for _ in range(40))
    return "".join(list(sentences)[: rng.randint(8, 40)])
