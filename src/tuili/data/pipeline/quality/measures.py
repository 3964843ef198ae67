"""What a document looks like as a whole: lines, marks, repetition, how far it can be packed. A few numbers a document.

Shares are of characters that are no space, of words or of lines; their roots are taken, as most are near 0.
"""

from __future__ import annotations

import math
import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.filters import measures as basic
from tuili.data.pipeline.words import Words

_SHARES = (
    basic.symbols,
    basic.digits,
    basic.long_words,
    basic.short_lines,
    basic.unended_lines,
    basic.same_starts,
    basic.repeated_lines,
    basic.repeated_runs,
    basic.commonest_run,
    basic.boilerplate,
)
_MARKS = (
    ".。",
    ",，、",
    "!！",
    "?？",
    "()[]{}<>（）《》【】",
    "=+*/\\|&^%#@~`_",
    ":;：；",
    "\"'“”‘’「」",
    "-—–",
    "$€£¥￥",
)
_PACKED = 4000
"""So many characters of the beginning are packed."""
_DRAWN = 200
"""So many words of the beginning are compared with one another."""
NAMES = (
    "words",
    "function_words",
    *(share.__name__ for share in _SHARES),
    *(f"marks {marks}" for marks in _MARKS),
    "word_length",
    "line_length",
    "line_spread",
    "packed",
    "distinct",
    "single",
)


def measures_of(words: Words, function_words: float) -> list[float]:
    """The numbers of `NAMES`. words: at least one. function_words: their share, as `language_of` tells it."""
    marks = np.bincount(_mark_table().take(words.codes, mode="clip"), minlength=len(_MARKS) + 1)[1:]
    lines = np.log1p(words.line_ends - words.line_starts)
    first = words.hashes[:_DRAWN].tolist()
    packed = words.codes[:_PACKED].astype(np.uint16).tobytes()
    return [
        math.log1p(len(words)),
        math.sqrt(function_words),
        *(math.sqrt(max(0.0, share(words))) for share in _SHARES),
        *np.sqrt(marks / words.visible).tolist(),
        basic.mean_word_length(words),
        float(lines.mean()),
        float(lines.std()),
        len(zlib.compress(packed, 1)) / len(packed),
        len(set(first)) / len(first),
        np.count_nonzero(words.lengths == 1) / len(words),
    ]


@cache
def _mark_table() -> NDArray[np.uint8]:
    """The group of each character among `_MARKS`, from 1 on; 0 for others."""
    table = np.zeros(0x10000, np.uint8)
    for number, marks in enumerate(_MARKS, 1):
        table[list(map(ord, marks))] = number
    return table
