"""Character classes, as a table in which all characters of a text are looked up at once."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Classes = NDArray[np.uint8]

_BASIC = 0x10000
INVISIBLE = "".join(
    map(chr, (0xAD, 0x034F, *range(0x200B, 0x2010), *range(0x2060, 0x2065), *range(0xFE00, 0xFE10), 0xFEFF))
)
"""Invisible characters of the basic plane: soft hyphens, joiners, direction marks, selectors."""


class Class:
    """The class of a character. `LETTER` to `HANGUL` form words; each Han character is a word of its own.

    `IGNORED` characters, such as soft hyphens, are invisible and may occur within words.

    Plain numbers, because NumPy takes ten times as long to compare with members of an enum.
    """

    SPACE = 0
    NEWLINE = 1
    PUNCTUATION = 2
    SYMBOL = 3
    CONTROL = 4
    LETTER = 5
    DIGIT = 6
    HAN = 7
    KANA = 8
    HANGUL = 9
    IGNORED = 10
    COUNT = 11


def classes_of(codes: Codes, table: Classes) -> Classes:
    """The class of each code point. Beyond the table: Han, symbols (emoji, also mathematical letters), letters."""
    classes = table.take(codes, mode="clip")
    if codes.size and codes.max() >= _BASIC:
        beyond = codes >= _BASIC
        classes[beyond] = Class.LETTER
        classes[beyond & (codes >= 0x20000) & (codes < 0x40000)] = Class.HAN
        classes[beyond & (codes >= 0x1F000) & (codes < 0x20000)] = Class.SYMBOL
        classes[codes >= 0xE0000] = Class.IGNORED  # tags and selectors
        classes[codes >= 0xF0000] = Class.CONTROL
    return classes


@cache
def basic_classes() -> Classes:
    """The class of each code point of the basic plane [65,536]."""
    table = np.full(_BASIC, Class.CONTROL, np.uint8)
    of_category = {"L": Class.LETTER, "M": Class.LETTER, "N": Class.DIGIT, "P": Class.PUNCTUATION, "S": Class.SYMBOL}
    for code in range(_BASIC):
        table[code] = of_category.get(unicodedata.category(chr(code))[0], Class.CONTROL)
    for code in [9, 11, 12, 32, 0x85, 0xA0, 0x3000, *range(0x2000, 0x200B), 0x202F, 0x205F]:
        table[code] = Class.SPACE
    for code in (10, 13, 0x2028, 0x2029):
        table[code] = Class.NEWLINE
    table[ord("_")] = Class.LETTER
    table[list(map(ord, INVISIBLE))] = Class.IGNORED
    for first, last, kind in (
        (0x3400, 0x9FFF, Class.HAN),
        (0xF900, 0xFAFF, Class.HAN),
        (0x3041, 0x30FF, Class.KANA),
        (0xAC00, 0xD7A3, Class.HANGUL),
        (0x1100, 0x11FF, Class.HANGUL),
    ):
        table[first : last + 1] = kind
    table[[0x3005, 0x3007]] = Class.HAN
    table[[0x30FB, 0x30A0]] = Class.PUNCTUATION
    table.flags.writeable = False
    return table
