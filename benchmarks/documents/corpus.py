"""Documents of four kilobytes to measure speed by: sentences of real text in a new order, as lines and as pages."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import zstandard

from benchmarks.harness.record import ROOT

CHARACTERS = 4000
PER_FILE = 50_000
WORDS = 0.83
"""The least share of words among words, numbers and marks of a sentence."""
PAGES = 2000
"""Pages that differ: further ones are links to these, as that many files would fill a disk."""


def texts(count: int, seed: int) -> Iterator[str]:
    """So many documents. Two have hardly a sentence in common."""
    rng, known = random.Random(seed), _sentences()
    for _ in range(count):
        text = list[str]()
        length = 0
        while length < CHARACTERS:
            text.append(rng.choice(known))
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


def _sentences() -> list[str]:
    """The sentences of Tuili's pages that are mostly words: the rules of Gopher drop a text full of marks and numbers,
    and what drops early takes no time."""
    pages = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))
    prose = re.sub(r"```.*?```", "", pages, flags=re.DOTALL)
    prose = " ".join(line for line in prose.splitlines() if line[:1].isalpha())
    sentences = [sentence for sentence in re.split(r"(?<=[.:]) ", prose) if 40 < len(sentence) < 300]
    whole = (sentence for sentence in sentences if sentence.endswith(".") and "`" not in sentence)
    return [sentence for sentence in whole if _share_of_words(sentence) > WORDS]


def _share_of_words(sentence: str) -> float:
    tokens = re.findall(r"\w+|[^\w\s]", sentence)
    return sum(any(map(str.isalpha, token)) for token in tokens) / len(tokens)
