"""Real prompts as ids: questions of word problems in the model's own chat template.

ASDiv-A's questions are asked, for nothing is trained on them. In long prompts, questions of GSM8K stand before with
their worked answers. The files of both are of this project's data, not part of it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.harness.record import ROOT
from tuili.errors import InputError
from tuili.store import ForeignTokenizer

DATA = ROOT.parent / "shared" / "data"
ASKED, WORKED, PROBLEMS = "mwp/asdiv-a.jsonl", "gsm8k/train.jsonl", "mwp/mawps-train.jsonl"
Message = dict[str, str]
_MARK = re.compile(r"<<[^>]*>>")


def chats(tokenizer: ForeignTokenizer, count: int, least: int = 0, seed: int = 0, data: Path = DATA) -> list[list[int]]:
    """So many conversations that end where the assistant is to answer, each with another question.

    least: ids that each has at least, by worked questions that stand before the asked one.
    Raises `InputError` where the files are missing.
    """
    turns = _turns(random.Random(seed).sample(_lines(data / WORKED), 1000)) if least else iter(())
    found = []
    for question in questions(count, seed, data):
        earlier: list[Message] = []
        while True:
            ids = tokenizer.encode_chat([*earlier, _said("user", question)])
            if len(ids) >= least:
                break
            earlier += next(turns)
        found.append(ids)
    return found


def questions(count: int, seed: int = 0, data: Path = DATA) -> list[str]:
    """So many questions that nothing is trained on. Raises `InputError` where their file is missing."""
    asked = [line["question"] for line in _lines(data / ASKED)]
    return random.Random(seed).sample(asked, count)


def worked_questions(tokenizer: ForeignTokenizer, count: int, seed: int = 0, data: Path = DATA) -> list[list[int]]:
    """So many conversations that ask a question of GSM8K. Raises `InputError` where the file is missing."""
    asked = random.Random(seed).sample(_lines(data / WORKED), count)
    return [tokenizer.encode_chat([_said("user", problem["question"])]) for problem in asked]


def equally_long(texts: Sequence[list[int]], count: int, batch: int) -> Iterator[list[list[int]]]:
    """Batches of texts of one length each, `count` texts in all: what no padding changes.

    Raises `InputError` where there are too few.
    """
    by_length: dict[int, list[list[int]]] = {}
    for text in texts:
        by_length.setdefault(len(text), []).append(text)
    batches = [group[first : first + batch] for group in by_length.values() for first in range(0, len(group), batch)]
    whole = [group for group in batches if len(group) == batch]
    if len(whole) * batch < count:
        raise InputError(f"{len(whole) * batch} texts have {batch - 1} others of their length: {count} are needed")
    return islice(whole, -(-count // batch))


def write_texts(file: Path, texts: Sequence[Sequence[int]]) -> None:
    """Write texts as `protocol.read_texts` reads them."""
    file.write_text("".join(f"{json.dumps(list(text))}\n" for text in texts))


def _turns(problems: Sequence[dict[str, Any]]) -> Iterator[list[Message]]:
    """A question and its worked answer, as two turns, without end."""
    while True:
        for problem in problems:
            working, _, result = _MARK.sub("", problem["answer"]).partition("\n#### ")
            yield [_said("user", problem["question"]), _said("assistant", f"{working}\nThe answer is {result}.")]


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _lines(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        raise InputError(
            f"{file.name} is missing: put the project's data beside it, at ../shared/data/{file.parent.name}"
        )
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
