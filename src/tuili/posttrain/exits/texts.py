"""The texts that exits are trained, tuned and tested on: questions with answers from JSON Lines, as token ids.

How many tokens of them are read is left to `states` and `run`.
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

from tuili.errors import InputError, RecordError, TooFew
from tuili.store import ForeignTokenizer

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
_CALCULATION = re.compile(r"<<.*?>>")
"""What GSM8K writes behind a calculation for a calculator, and no model does."""
_FIELDS = (("question", "answer"), ("input", "output"))
_MOST_TOKENS = 1024
"""Tokens of a text that are read at most; the rest is cut off."""


@dataclass(frozen=True)
class Text:
    """A text as token ids. Those from `start` on are the response: an exit may be taken before each of them."""

    ids: tuple[int, ...]
    start: int


def read_texts(files: Sequence[Path], tokenizer: ForeignTokenizer, seed: int) -> Mapping[Part, list[Text]]:
    """The texts of data files, shuffled, in three parts: a tenth each for validation and test.

    The question alone decides in which part a text is, so that a question that stands twice is in one part. A question
    is asked by the chat template of the model, and the answer is ended as the model ends one.
    Raises `RecordError` for a line that is no question with an answer, `TooFew` where a part would be empty.
    """
    parts: dict[Part, list[Text]] = {part: [] for part in PARTS}
    for question, answer in _items(files):
        prompt = tokenizer.encode_chat([{"role": "user", "content": question}])
        response = tokenizer.encode_text(_CALCULATION.sub("", answer))
        ids = (*prompt, *response, tokenizer.end_id)
        if len(prompt) < _MOST_TOKENS:
            parts[_part_of(question)].append(Text(ids[:_MOST_TOKENS], len(prompt)))
    for part, texts in parts.items():
        if not texts:
            raise TooFew(f"{', '.join(map(str, files))}: no text is left for {part}: give more of them")
        random.Random(seed).shuffle(texts)
    return parts


def commonest_tokens(texts: Sequence[Text], count: int) -> NDArray[np.int32]:
    """The commonest tokens of responses, at most so many, rising, [X]; of those as common as others the lower ids."""
    found = Counter(token for text in texts for token in text.ids[text.start :])
    commonest = sorted(found, key=lambda token: (-found[token], token))[:count]
    return np.array(sorted(commonest), np.int32)


def _items(files: Sequence[Path]) -> Iterator[tuple[str, str]]:
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").split("\n")  # other separators may stand in a text
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file} cannot be read: {error}") from None
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _item(line, f"{file}:{number}")


def _item(line: str, where: str) -> tuple[str, str]:
    try:
        document: Any = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        for question, answer in _FIELDS:
            pair = document.get(question), document.get(answer)
            if all(isinstance(text, str) and text.strip() for text in pair):
                return str(pair[0]), str(pair[1])
    raise RecordError(f"{where}: give an object with the texts `question` and `answer`, or `input` and `output`")


def _part_of(question: str) -> Part:
    number = int.from_bytes(hashlib.sha256(question.encode()).digest(), "big") % 1000
    return "test" if number < 100 else "validation" if number < 200 else "train"
