"""A small file in the folder of an imported model that says what it was taught to write in `<think>…</think>`.

There, the engine then chooses among fewer tokens and computes a smaller head. `tuili.steps` defines the characters of
a language. X: such tokens.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from tuili.errors import InputError, ModelFolderError
from tuili.files import whole_file
from tuili.steps import CHARACTERS, END_THINK, CalculatorMode
from tuili.store.folder import read_part
from tuili.store.imported.foreign_tokenizer import ForeignTokenizer

THINKING_FILE = Path("tuili") / "thinking.json"
_REMEDY = "teach the model anew, or remove the file"
_LINES = re.compile(f"[{CHARACTERS}\n]+")


@dataclass(frozen=True)
class ThinkingSettings:
    """language: the language of the thinking; "steps" is the step language. token_ids: the tokens of the texts that
    taught it, in ascending order; None for all that can occur in the language, which are most of a word vocabulary.
    """

    language: Literal["steps"]
    token_ids: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] | None = None
    calculator: CalculatorMode | None = None
    """The default for whether the checker writes values into steps, if a request does not say; None means off."""

    def __post_init__(self) -> None:
        """Raise `InputError` for ids that are not strictly ascending."""
        if any(left >= right for left, right in pairwise(self.token_ids or ())):
            raise InputError("token_ids: they rise, each once")


_SETTINGS = TypeAdapter(ThinkingSettings)


def write_thinking_file(folder: Path, settings: ThinkingSettings) -> None:
    """Write the file into the folder of its model."""
    kept = {key: value for key, value in asdict(settings).items() if value is not None}
    with whole_file(folder / THINKING_FILE) as part:
        part.write_text(json.dumps(kept) + "\n", encoding="utf-8")


def read_thinking_file(folder: Path) -> ThinkingSettings | None:
    """What the model of a folder was taught; None if it has no such file. Raises `ModelFolderError` if the file is
    damaged."""
    return read_part(folder / THINKING_FILE, _SETTINGS, _REMEDY)


def thinking_ids(folder: Path, tokenizer: ForeignTokenizer) -> NDArray[np.int32] | None:
    """The tokens [X] among which the model of a folder chooses while it thinks, in ascending order; None for all.

    Whatever it was taught, it can write every line of the language byte by byte, close the thinking, and end.
    Raises `ModelFolderError` as `read_thinking_file` does, and for ids that the tokenizer does not have.
    """
    settings = read_thinking_file(folder)
    if settings is None:
        return None
    given = settings.token_ids
    if given is not None and given[-1] >= tokenizer.size:
        raise ModelFolderError(
            f"{folder / THINKING_FILE} is damaged: token_ids: {given[-1]} is none of the {tokenizer.size} entries of "
            f"the tokenizer; {_REMEDY}"
        )
    closing = tokenizer.backend.token_to_id(END_THINK)
    ends = {end for end in tokenizer.end_ids if end < tokenizer.size}
    chosen = ends.union(tokenizer.encode_text(END_THINK) if closing is None else [closing])
    for token, (text, data) in enumerate(zip(tokenizer.shown_texts, tokenizer.shown_bytes, strict=True)):
        stands = text is None or _LINES.fullmatch(text)  # a token without a text is a part of a character
        if stands and (given is None or len(data) == 1):
            chosen.add(token)
    return np.array(sorted(chosen.union(given or ())), np.int32)
