"""A few numbers for the appearance of a whole document: lines, marks, repetition, compressibility.

Shares are of non-space characters, of words or of lines. Their square roots are used, because most are near 0.
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
"""The number of characters at the beginning that are compressed."""
_DRAWN = 200
"""The number of words at the beginning that are compared with one another."""
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
    """The numbers of `NAMES`. words: at least one. function_words: their share, as returned by `language_of`."""
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
    """The group of each character in `_MARKS`, counted from 1; 0 for other characters."""
    table = np.zeros(0x10000, np.uint8)
    for number, marks in enumerate(_MARKS, 1):
        table[list(map(ord, marks))] = number
    return table
