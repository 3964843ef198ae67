"""The labelled documents of a split: cut into pieces, drawn, and of both languages. The same ones every time."""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from benchmarks.quality.junk.grammar import Grammar
from benchmarks.quality.junk.spinning import cilin, freedict, glossed, mythes, spin, spun, spun_chinese, there_and_back
from benchmarks.quality.packages import FOLDER, sources, unpack
from tuili.data import pipeline

Split = Literal["training", "test"]
PIECE = 6000
"""Characters of a piece at most: most documents are shorter, and books should not count for one."""
FEWEST_WORDS = 40
MOST, OF_GRAMMAR, SPUN = 60, {"training": 120, "test": 40}, {"training": 150, "test": 150}
"""Documents of a package, of a generator of a grammar, and spun ones of a language, at most."""
_HAN = re.compile("[\u4e00-\u9fff]")


class Sample(NamedTuple):
    """A labelled document."""

    text: str
    good: bool
    language: str
    source: str
    """The package, the generator, or the way of spinning."""
    kind: str
    """The kind of text that a user would call it. Junk has that of a good one, drawn, so that it tells nothing."""


def samples(split: Split) -> list[Sample]:
    """The documents of a split, good ones first."""
    folder, wanted = FOLDER / split, sources(split)
    uses = {package: unpack(package, what, folder) for package, what in wanted.items()}
    read = _read(folder, wanted)
    good, junk = list[tuple[str, str, str]](), list[tuple[str, str]]()
    for package, what in wanted.items():
        most = what.get("most", MOST)
        good += [(text, package, what.get("kind", "prose")) for text in _drawn(read["good", package], most)]
        junk += [(text, package) for text in _drawn(read["junk", package], most)]
    grammar = Grammar(Path(__file__).parent / "junk" / f"{split}.yaml")
    for generator in grammar.generators:
        junk += [(text, generator) for text in grammar.documents(generator, OF_GRAMMAR[split])]
    texts: dict[str, list[str]] = {"en": [], "zh": []}
    for text, *_ in good:
        texts[language_of(text)].append(text)
    junk += _spun(split, texts, {package: use["lists"] for package, use in uses.items()})
    kinds = [kind for *_, kind in good]
    rng = random.Random(split)
    found = [Sample(text, True, language_of(text), package, kind) for text, package, kind in good]
    found += [Sample(text, False, language_of(text), source, rng.choice(kinds)) for text, source in junk]
    return [one for one in found if len(pipeline.Words(one.text)) >= FEWEST_WORDS]


def language_of(text: str) -> str:
    """Chinese, from a third of Han characters among the words on, or English."""
    return "zh" if 3 * len(_HAN.findall(text)) > len(pipeline.Words(text)) else "en"


def _read(folder: Path, packages: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """The documents of packages by use and package, as the pipeline reads them."""
    uses = ("good", "junk")
    places = {f"{use}.{package}": folder / use / package for use in uses for package in packages}
    inputs = [{"path": path, "name": name} for name, path in places.items() if path.is_dir()]
    found = defaultdict[tuple[str, str], list[str]](list)
    for settled in pipeline.survey(pipeline.BuildSettings.model_validate({"inputs": inputs}), workers=1):
        if isinstance(settled, pipeline.Kept):
            use, _, package = settled.trace.id.partition("/")[0].partition(".")
            found[use, package].append(msgspec.json.decode(settled.line, type=dict[str, Any])["text"])
    return found


def _drawn(texts: Iterable[str], most: int) -> list[str]:
    """Pieces of texts: those with the smallest hashes, each once."""
    pieces = {piece for text in texts for piece in _pieces(text)}
    return sorted(pieces, key=lambda text: hashlib.blake2b(text.encode()).digest())[:most]


def _pieces(text: str) -> Iterator[str]:
    """Parts of a text that end where a paragraph does, where it has such."""
    piece = ""
    for paragraph in re.split(r"(?<=\n)(?=\s*\n)", text):
        if piece and len(piece) + len(paragraph) > PIECE:
            yield piece
            piece = ""
        piece += paragraph
        while len(piece) > PIECE:
            yield piece[:PIECE]
            piece = piece[PIECE:]
    yield piece


def _spun(split: Split, texts: dict[str, list[str]], lists: dict[str, Path]) -> Iterator[tuple[str, str]]:
    drawn = {language: random.Random(split).sample(of, min(len(of), SPUN[split])) for language, of in texts.items()}
    if split == "training":
        (english,) = lists["mythes-en-us"].glob("*en_US*.dat")
        (chinese,) = lists["cilin"].iterdir()
        for text in spin(drawn["en"], partial(_english, synonyms=mythes(english))):
            yield text, "en_synonyms"
        for text in spin(drawn["zh"], partial(_chinese, synonyms=cilin(chinese))):
            yield text, "zh_synonyms"
    else:
        there, back, other = (freedict(lists[f"dict-freedict-{pair}"]) for pair in ("eng-fra", "fra-eng", "eng-zho"))
        for text in spin(drawn["en"], partial(_english, synonyms=there_and_back(there, back))):
            yield text, "en_there_and_back"
        for text in spin(drawn["en"], lambda text, rng: glossed(text, other, rng)):
            yield text, "zh_word_by_word"


def _english(text: str, rng: random.Random, synonyms: Any) -> str:
    return spun(text, synonyms, rng.uniform(0.4, 0.9), rng)


def _chinese(text: str, rng: random.Random, synonyms: Any) -> str:
    return spun_chinese(text, synonyms, rng.uniform(0.4, 0.9), rng)
