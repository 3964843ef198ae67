"""Near-duplicates and questions planted among other documents: recall over the share of edited words, and precision.

Beside it datasketch, where it is installed, with as many hashes of the same shingles and the same threshold. How alike
copies and originals are is told too, `jaccard_SHARE`: by their shingles themselves, in the mean.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.util import find_spec
from itertools import cycle
from statistics import mean
from typing import Any

from benchmarks.duplicates.planting import Language, changed, chinese, english, questions
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.data import pipeline
from tuili.provenance import installed_versions
from tuili.tasks import BUILT_IN_DOMAINS, Split, Wording, generate
from tuili.tasks import Language as TaskLanguage

EDITS = (5, 10, 15, 20)
OWN_LEVELS, OWN_PROBLEMS = (1, 2, 3), 3
"""The levels of Tuili's own test problems that are looked for, and how many of each domain and language."""


def measure(documents: int = 50_000, planted: int = 500, seed: int = 0) -> Measured:
    """Recall of what is planted, precision of what is dropped, and documents a second of one core.

    planted: near-duplicates of each share of edits, and questions, each beyond `documents`.
    """
    settings = pipeline.DedupSettings(block="dedup")
    languages = (english(), chinese())
    corpus = _with_copies(documents, planted, seed, languages)
    figures = _similarities(corpus, settings.shingle)
    figures |= _told("tuili", corpus, planted, _dropped(settings.build(), corpus))
    if find_spec("datasketch"):
        figures |= _told("datasketch", corpus, planted, _datasketch(corpus, settings))
    asked = questions(planted, seed)
    pages = _with_questions(documents, asked, seed, languages)
    began = time.process_time()
    items = (pipeline.EvaluationItem(str(number), question) for number, question in enumerate(asked))
    found = set(_dropped(pipeline.Decontamination(items), pages)[0])
    seconds = time.process_time() - began
    right = sum(name.startswith("asked") for name in found)
    figures |= {
        "questions_recall": Figure("share", [right / len(asked)]),
        "questions_precision": Figure("share", [right / max(len(found), 1)]),
        "questions_rate": Figure("documents/s", [len(pages) / seconds]),
    }
    figures |= _own_recall(seed)
    config: dict[str, Any] = {"documents": documents, "planted": planted, "questions": len(asked), "seed": seed}
    config |= {"words": [sha256(language.space.join(language.words).encode()).hexdigest() for language in languages]}
    config |= {"peers": installed_versions(["datasketch"])}
    goal = "recall and precision 0.99 at edits of 10% and of questions"
    return config | {"similarity": settings.similarity, "shingle": settings.shingle, "goal": goal}, figures


def _own_recall(seed: int) -> dict[str, Figure]:
    """The share of problems of Tuili's own test split that the block finds by itself, by wording: those that training
    never has, whose forms it looks for, and all others."""
    block = pipeline.BuildSettings.model_validate({"blocks": [{"block": "decontaminate"}]}).pipeline().blocks[0]
    figures = dict[str, Figure]()
    for wording in (Wording.UNSEEN, Wording.SEEN):
        asked = [
            generate(domain, Split.TEST.seed(seed), number, level, wording=wording, language=language).prompt
            for domain in BUILT_IN_DOMAINS
            for language in TaskLanguage
            for level in OWN_LEVELS
            for number in range(OWN_PROBLEMS)
        ]
        found = _dropped(block, [pipeline.Document(text, str(n), str(n), "problem") for n, text in enumerate(asked)])[0]
        figures[f"own_{wording}_recall"] = Figure("share", [len(found) / len(asked)])
    return figures


def _similarities(corpus: Iterable[pipeline.Document], n: int) -> dict[str, Figure]:
    shingles = {name: frozenset(found) for name, found in _shingles(corpus, n)}
    similarities = defaultdict[str, list[float]](list)
    for name, copied in shingles.items():
        if name.startswith("copy/"):
            _, share, number = name.split("/")
            original = shingles[f"original/{number}"]
            similarities[share].append(len(copied & original) / len(copied | original))
    return {f"jaccard_{share}": Figure("share", [mean(similarities[str(share)])]) for share in EDITS}


Found = tuple[list[str], float]
"""The ids of what is dropped, and the seconds it took."""


def _with_copies(count: int, planted: int, seed: int, languages: tuple[Language, ...]) -> list[pipeline.Document]:
    """Documents, and copies of some of them for each share of edits, in any order but each copy behind its original."""
    rng, texts = random.Random(seed), list[tuple[float, str, str]]()
    for number, language in zip(range(count), cycle(languages), strict=False):
        text, place = language.draw(rng), rng.random()
        texts.append((place, f"original/{number}", language.space.join(text)))
        if number < planted * len(EDITS):
            share = EDITS[number // 2 % len(EDITS)]
            copy = language.space.join(language.edit(rng, text, share / 100))
            texts.append((rng.uniform(place, 1), f"copy/{share}/{number}", copy))
    return [pipeline.Document(text, name, name, "prose") for _, name, text in sorted(texts)]


def _with_questions(
    count: int, asked: list[str], seed: int, languages: tuple[Language, ...]
) -> list[pipeline.Document]:
    """Documents, and others that have a changed question in their midst."""
    rng, pages = random.Random(seed + 1), list[pipeline.Document]()
    for number, language in zip(range(count + len(asked)), cycle(languages), strict=False):
        text, name = language.draw(rng), f"page/{number}"
        if number < len(asked):
            middle, name = len(text) // 2, f"asked/{number}"
            text[middle:middle] = ["\n", changed(rng, asked[number]), "\n"]
        pages.append(pipeline.Document(language.space.join(text), name, name, "prose"))
    return pages


def _dropped(block: pipeline.AnyBlock, documents: Iterable[pipeline.Document]) -> Found:
    began = time.process_time()
    # Words of a pass before are left behind.
    fresh = (pipeline.Document(one.text, one.id, one.place, one.kind) for one in documents)
    found = [
        settled.trace.id for settled in pipeline.Pipeline([block]).run(fresh) if isinstance(settled, pipeline.Dropped)
    ]
    return found, time.process_time() - began


def _datasketch(documents: Iterable[pipeline.Document], settings: pipeline.DedupSettings) -> Found:
    from datasketch import MinHash, MinHashLSH

    began = time.process_time()
    index, found = MinHashLSH(threshold=settings.similarity, num_perm=128), list[str]()
    for name, shingles in _shingles(documents, settings.shingle):
        minhash = MinHash(num_perm=128)
        minhash.update_batch(shingles)
        alike = index.query(minhash)
        if alike:  # as its documentation has it, without a comparison of what the bands find
            found.append(name)
        else:
            index.insert(name, minhash)
    return found, time.process_time() - began


def _shingles(documents: Iterable[pipeline.Document], n: int) -> Iterator[tuple[str, list[bytes]]]:
    for one in documents:
        hashes = pipeline.Document(one.text, one.id, one.place, one.kind).words.ngrams(n)
        yield one.id, [value.tobytes() for value in hashes]


def _told(who: str, documents: list[pipeline.Document], planted: int, found: Found) -> dict[str, Figure]:
    names, seconds = found
    figures = {
        f"{who}_recall_{share}": Figure("share", [sum(name.startswith(f"copy/{share}/") for name in names) / planted])
        for share in EDITS
    }
    copies = sum(name.startswith("copy") for name in names)
    return figures | {
        f"{who}_precision": Figure("share", [copies / max(len(names), 1)]),
        f"{who}_rate": Figure("documents/s", [len(documents) / seconds]),
    }


if __name__ == "__main__":
    run("duplicates", measure)
