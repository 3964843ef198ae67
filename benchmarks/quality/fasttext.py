"""fastText beside the classifier that Tuili ships: the same training documents, and about the same size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.quality.labelled import Sample
from tuili.data import pipeline

SETTINGS: dict[str, Any] = {
    "dim": 8,
    "wordNgrams": 2,
    "bucket": 200_000,
    "minCount": 3,
    "epoch": 5,
    "lr": 0.5,
    "thread": 1,
}
_GOOD, _JUNK = "__label__good", "__label__junk"


def installed() -> bool:
    """Whether the package is there."""
    return find_spec("fasttext") is not None


def taught(
    documents: Sequence[Sample], is_wanted: Callable[[Sample], bool] = lambda one: one.good
) -> Callable[[Sequence[str], Sequence[str]], list[bool]]:
    """A judge that has learnt from documents which of them are wanted."""
    library = import_module("fasttext")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "documents.txt")
        lines = (f"{_GOOD if is_wanted(one) else _JUNK} {_line(one.text)}\n" for one in documents)
        file.write_text("".join(lines), encoding="utf-8")
        model = library.train_supervised(str(file), seed=0, verbose=0, **SETTINGS)

    def judge(texts: Sequence[str], kinds: Sequence[str]) -> list[bool]:
        return [model.predict(_line(text))[0][0] == _GOOD for text in texts]

    return judge


def _line(text: str) -> str:
    """The words of a text, with a space between them: fastText knows no others. Each Han character is a word."""
    words = pipeline.Words(text)
    lowered = words.codes.tobytes().decode("utf-32-le")
    return " ".join(lowered[start:end] for start, end in zip(words.starts.tolist(), words.ends.tolist(), strict=True))
