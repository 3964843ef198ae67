"""Documents of four kilobytes to measure speed by, as lines and as pages.

They are sentences of real text in a new order, of which every third word is exchanged for another of these texts, so
that two documents are about as alike as two pages of one manual: by 0.03 of their pairs of words.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import zstandard

from benchmarks.harness.record import ROOT

CHARACTERS = 4000
PER_FILE = 50_000
WORDS = 0.83
"""The least share of words among words, numbers and marks of a sentence."""
EXCHANGED = 3
"""Of so many neighbouring words, one is exchanged."""
PAGES = 2000
"""Pages that differ: further ones are links to these, as that many files would fill a disk."""


def texts(count: int, seed: int) -> Iterator[str]:
    """So many documents."""
    rng, known = random.Random(seed), _sentences()
    words = [word for sentence in known for word in sentence[:-1].split()]
    for _ in range(count):
        text = list[str]()
        length = 0
        while length < CHARACTERS:
            text.append(" ".join(_exchanged(rng.choice(known).split(), words, rng)))
            length += len(text[-1]) + 1
        paragraphs = (" ".join(text[start : start + 6]) for start in range(0, len(text), 6))
        yield "\n\n".join(paragraphs)


def write_lines(folder: Path, count: int, seed: int, per_file: int = PER_FILE) -> None:
    """Write documents as JSONL, so many in a file."""
    folder.mkdir(parents=True)
    made = texts(count, seed)
    for start in range(0, count, per_file):
        with zstandard.open(folder / f"{start:09}.jsonl.zst", "wt", encoding="utf-8") as file:
            for number in range(start, min(start + per_file, count)):
                file.write(json.dumps({"text": next(made), "number": number}, ensure_ascii=False) + "\n")


def write_pages(folder: Path, count: int, seed: int) -> None:
    """Write documents as pages with a menu, a column beside the text and a foot."""
    folder.mkdir(parents=True)
    menu = "".join(f"<li><a href='/{name}'>{name}</a></li>" for name in ("home", "news", "shop", "about", "contact"))
    for number, text in enumerate(texts(min(count, PAGES), seed)):
        body = "".join(f"<p>{paragraph}</p>" for paragraph in text.split("\n\n"))
        page = (
            f"<nav><ul>{menu}</ul></nav><main><article><h1>{number}</h1>{body}</article></main><footer>{menu}</footer>"
        )
        (folder / f"{number:06}.html").write_text(
            f"<html><head><title>{number}</title></head><body>{page}</body></html>"
        )
    for number in range(PAGES, count):
        os.link(folder / f"{number % PAGES:06}.html", folder / f"{number:06}.html")


def _exchanged(sentence: list[str], words: list[str], rng: random.Random) -> list[str]:
    """The same with one word of three exchanged, from a place that is drawn; the last, with its full stop, stays."""
    for place in range(rng.randrange(EXCHANGED), len(sentence) - 1, EXCHANGED):
        sentence[place] = rng.choice(words)
    return sentence


def _sentences() -> list[str]:
    """The sentences of Tuili's pages and of Python's manual, as far as it comes with the language, that are mostly
    words: the rules of Gopher drop a text full of marks and numbers, and what drops early takes no time."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))
    prose = re.sub(r"```.*?```", "", pages, flags=re.DOTALL)
    prose = " ".join(line for line in prose.splitlines() if line[:1].isalpha())
    manual = " ".join(re.sub(r"\s+", " ", topic) for topic in topics.values())
    sentences = [text for text in re.split(r"(?<=[.:]) ", f"{prose} {manual}") if 40 < len(text) < 300]
    whole = (text for text in sentences if text.endswith(".") and not {*"`*"} & {*text})
    return [text for text in whole if _share_of_words(text) > WORDS]


def _share_of_words(sentence: str) -> float:
    tokens = re.findall(r"\w+|[^\w\s]", sentence)
    return sum(any(map(str.isalpha, token)) for token in tokens) / len(tokens)
