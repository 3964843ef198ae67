"""Documents of the test told apart: by the classifier that Tuili ships, by its basic filter, by both,
and by the published rules of Gopher, C4 and FineWeb; and, if it is installed, by fastText with the same training
documents, once taught what is good, and once what is educational, which stands in for FineWeb-Edu's classifier.

And the share of what must not be dropped that is: of GSM8K, where its file is, its questions with the answers in words
and alone, and of Tuili's own proofs. The first of its problems are those that the threshold was chosen by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import GSM8K
from benchmarks.quality import fasttext
from benchmarks.quality.labelled import Sample, Split, samples
from benchmarks.quality.packages import FOLDER, archive_name, sources
from tuili.data import Record, pipeline
from tuili.steps import split_response
from tuili.tasks import LEVELS, generate
from tuili.tasks import Split as LearntSplit

FILTERS: dict[str, list[str]] = {
    "quality": ["quality"],
    "basic": ["basic"],
    "both": ["basic", "quality"],
    "published": ["gopher_quality", "gopher_repetition", "c4", "fineweb"],
}
CHOSEN_BY = 2000
"""Problems of GSM8K by which the threshold of problems was chosen."""
EDUCATIONAL = frozenset({"paper", "problem", "reference"})
"""The kinds of good texts that teach: manuals, papers and exercises."""
ALL_WAYS = ("quality", "basic")
"""These judge every document as a page of the web, and each as its kind; the others know no kinds."""
CALCULATION = re.compile(r"<<[^>]*>>")
Judge = Callable[[Sequence[str], Sequence[str]], list[bool]]
"""From texts and their kinds: which are kept."""


def measure(problems: int = 1000, splits: tuple[Split, ...] = ("validation", "test")) -> Measured:
    """F1, the share of good documents that is lost and of junk that is left, by language, filter and source.

    problems: of GSM8K, and proofs, at most. splits: test, or validation, which only the shipped classifier judges.
    """
    judges: dict[str, Judge] = {name: _judge(blocks) for name, blocks in FILTERS.items()}
    if fasttext.installed():
        judges["fasttext"] = fasttext.taught(samples("training"))
        judges["educational"] = fasttext.taught(samples("training"), _is_educational)
    figures, documents, packages = dict[str, Figure](), dict[str, int](), dict[str, dict[str, str]]()
    for split in splits:
        found = samples(split)
        documents[split] = len(found)
        packages[split] = {package: archive_name(package, FOLDER / split) for package in sources(split)}
        for name, judge in judges.items() if split == "test" else [("quality", judges["quality"])]:
            figures |= _split(f"{split}_{name}", found, judge, ("web", "kinds") if name in ALL_WAYS else ("web",))
    figures |= _not_to_be_dropped(judges, problems)
    goal = "F1 0.95 in English and 0.92 in Chinese; 1% of GSM8K and of proofs at most"
    return {"documents": documents, "problems": problems, "packages": packages, "goal": goal}, figures


def _split(name: str, found: Sequence[Sample], judge: Judge, ways: Sequence[str]) -> dict[str, Figure]:
    figures = dict[str, Figure]()
    for way in ways:
        kept = judge([one.text for one in found], ["web" if way == "web" else one.kind for one in found])
        for language in ("en", "zh"):
            told = [(one.good, keep) for one, keep in zip(found, kept, strict=True) if one.language == language]
            figures |= _told(f"{name}_{language}_{way}", told)
        if name.endswith("quality") and way == "web":
            figures |= _by_source(name, found, kept)
    return figures


def _is_educational(one: Sample) -> bool:
    return one.good and one.kind in EDUCATIONAL


def _judge(names: list[str]) -> Judge:
    blocks = [{"block": name} for name in names]
    built = pipeline.BuildSettings.model_validate({"blocks": blocks}).pipeline()

    def judge(texts: Sequence[str], kinds: Sequence[str]) -> list[bool]:
        documents = (
            pipeline.Document(text, str(n), str(n), kind)
            for n, (text, kind) in enumerate(zip(texts, kinds, strict=True))
        )
        return [isinstance(settled, pipeline.Kept) for settled in built.run(documents)]

    return judge


def _told(name: str, outcomes: Iterable[tuple[bool, bool]]) -> dict[str, Figure]:
    counted = pipeline.Confusion.of(outcomes)
    return {
        f"{name}_f1_good": Figure("F1", [counted.f1_good]),
        f"{name}_f1_junk": Figure("F1", [counted.f1_junk]),
        f"{name}_good_lost": Figure("share", [counted.good_lost]),
        f"{name}_junk_left": Figure("share", [counted.junk_left]),
        f"{name}_n": Figure("documents", [sum(counted)]),
    }


def _by_source(name: str, found: Sequence[Sample], kept: Sequence[bool]) -> dict[str, Figure]:
    """The share of each source that is told wrongly."""
    wrong = dict[str, list[bool]]()
    for one, keep in zip(found, kept, strict=True):
        wrong.setdefault(f"{one.language}_{'good' if one.good else 'junk'}_{one.source}", []).append(keep != one.good)
    return {f"{name}_wrong_{key}": Figure("share", [sum(values) / len(values)]) for key, values in wrong.items()}


def _not_to_be_dropped(judges: dict[str, Judge], most: int) -> dict[str, Figure]:
    rows = [json.loads(line) for line in islice(_lines(GSM8K), CHOSEN_BY, CHOSEN_BY + most)]
    texts = {
        "gsm8k": [f"{row['question']}\n{CALCULATION.sub('', row['answer'])}" for row in rows],
        "gsm8k_questions": [row["question"] for row in rows],
    }
    texts["proofs"] = [
        _plain(Record.of(generate("proofs", LearntSplit.TEST.seed(0), number, level, language=language)))
        for language in ("en", "zh")
        for level in LEVELS
        for number in range(most // 2 // len(LEVELS))
    ]
    return {
        f"{name}_{way}_{what}_dropped": Figure("share", [1 - sum(judge(of, [kind] * len(of))) / len(of)])
        for name, judge in judges.items()
        for way, kind in (("web", "web"), ("kinds", "problem"))
        if name in ALL_WAYS or way == "web"
        for what, of in texts.items()
        if of
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").strip().split("\n") if path.is_file() else []


def _plain(record: Record) -> str:
    """A record as people would write it down: the problem, the steps and the answer, a line each."""
    read = split_response(record.response)
    return "\n".join([record.input, *read.steps, read.answer])


if __name__ == "__main__":
    run("quality", measure)
