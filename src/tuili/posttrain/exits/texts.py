"""The texts that exits are trained, tuned and tested on: questions with answers from JSON Lines, as token ids.

`states` and `run` decide how many of their tokens are read.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tuili.data import kinds_of
from tuili.errors import InputError, RecordError, TooFew
from tuili.store import ForeignTokenizer

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
_CALCULATION = re.compile(r"<<.*?>>")
"""What GSM8K writes after a calculation for a calculator; models do not write it."""
_FIELDS = (("question", "answer"), ("input", "output"))
_MOST_TOKENS = 1024
"""The most tokens of a text that are read; the rest is cut off."""


@dataclass(frozen=True)
class _Item:
    """A question with its answer, and the fields that show its kind."""

    input: str
    answer: str
    id: str
    source: str


@dataclass(frozen=True)
class Text:
    """A text as token ids. Those from `start` on are the response: an exit may be taken before each of them."""

    ids: tuple[int, ...]
    start: int


def read_texts(files: Sequence[Path], tokenizer: ForeignTokenizer, seed: int) -> Mapping[Part, list[Text]]:
    """The texts of data files, shuffled, in three parts: a tenth each for validation and test.

    All questions of a kind, see `tuili.data.kinds_of`, are in the same part. The first question of the kind in
    character order decides which part; the other kinds have an influence only if a part would otherwise be empty. The
    question is put into the model's chat template, and the answer ends as the model ends one.
    Raises `RecordError` for a line that is not a question with an answer, `TooFew` if a part would be empty.
    """
    parts: dict[Part, list[Text]] = {part: [] for part in PARTS}
    items = [*_items(files)]
    for item, part in zip(items, _parts_of(items), strict=True):
        prompt = tokenizer.encode_chat([{"role": "user", "content": item.input}])
        response = tokenizer.encode_response(prompt, _CALCULATION.sub("", item.answer))
        ids = (*prompt, *response, tokenizer.end_id)
        if len(prompt) < _MOST_TOKENS:
            parts[part].append(Text(ids[:_MOST_TOKENS], len(prompt)))
    for part, texts in parts.items():
        if not texts:
            raise TooFew(
                f"{', '.join(map(str, files))}: no text is left for {part}: give more of them, which "
                "differ in more than their numbers"
            )
        random.Random(seed).shuffle(texts)
    return parts


def commonest_tokens(texts: Sequence[Text], count: int) -> NDArray[np.int32]:
    """The commonest tokens of responses, at most `count`, rising, [X]; lower ids win among equally common ones."""
    found = Counter(token for text in texts for token in text.ids[text.start :])
    commonest = sorted(found, key=lambda token: (-found[token], token))[:count]
    return np.array(sorted(commonest), np.int32)


def _items(files: Sequence[Path]) -> Iterator[_Item]:
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").split("\n")  # a text may contain other separators
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read: {error}") from None
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _item(line, f"{file}:{number}")


def _item(line: str, where: str) -> _Item:
    try:
        document: Any = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        for question, answer in _FIELDS:
            pair = document.get(question), document.get(answer)
            if all(isinstance(text, str) and text.strip() for text in pair):
                name, source = (str(document.get(key) or "") for key in ("id", "source"))
                return _Item(str(pair[0]), str(pair[1]), name, source)
    raise RecordError(f"{where}: give an object with the texts `question` and `answer`, or `input` and `output`")


def _parts_of(items: Sequence[_Item]) -> list[Part]:
    """The part of each item. With three or more kinds no part is empty."""
    kinds, first = kinds_of(items), dict[str, str]()
    for item, kind in zip(items, kinds, strict=True):
        first[kind] = min(first.get(kind, item.input), item.input)
    numbers = sorted((_number(question), kind) for kind, question in first.items())
    tests = max(1, sum(number < 100 for number, _ in numbers))
    held_out = max(tests + 1, sum(number < 200 for number, _ in numbers))
    part_of: dict[str, Part] = {
        kind: "test" if place < tests else "validation" if place < held_out else "train"
        for place, (_, kind) in enumerate(numbers)
    }
    return [part_of[kind] for kind in kinds]


def _number(question: str) -> int:
    """A number from 0 to 999 that depends only on the question."""
    return int.from_bytes(hashlib.sha256(question.encode()).digest(), "big") % 1000
