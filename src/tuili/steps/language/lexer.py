"""Splits a line into tokens, and resolves what only spacing distinguishes: `3/4`, `3 kg`, `2024-03-01`.

`parser` builds terms from the tokens.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tuili.steps.language.characters import CJK, NAME
from tuili.steps.language.grammar import WORD_OPERATORS
from tuili.steps.language.units import Unit, match_unit
from tuili.steps.verdict import Unreadable

MAX_LINE_CHARACTERS = 2000
MAX_TOKENS = 600
MAX_DIGITS = 600
"""The maximum number of digits in one number as written."""

_TOKEN = re.compile(
    rf"""(?P<space>[ \t]+)
    |(?P<date>[0-9]{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?![0-9]))
    |(?P<month>(?<=days_in\()[0-9]{{4}}-(?:0[1-9]|1[0-2])(?=\)))
    |(?P<clock>[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}})?(?![0-9]))
    |(?P<ratio>(?<![/^])[0-9]+/[0-9]+(?![0-9/.]|[A-Za-z_({CJK}]))
    |(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<name>{NAME})
    |(?P<op><->|->|=>|<=|>=|!=|==|\*\*|//|[-+*/^!%=<>(){{}}\[\],:])""",
    re.VERBOSE,
)
_ASCII = "".join(each for each in map(chr, range(128)) if _TOKEN.fullmatch(each) or _TOKEN.fullmatch(f"1{each}10"))
CHARACTERS = re.escape(_ASCII) + CJK
"""All characters that a line may contain, as part of a character class."""
_FOREIGN = re.compile(rf"[^\x00-\x7f{CJK}]")
_NUMERAL = re.compile("[零〇一二三四五六七八九十百千万亿两半]+")
_LEADING_ZERO = re.compile(r"(?:^|/)0[0-9]")
_OTHER_BASE = re.compile(r"0(?:[xX][0-9A-Fa-f]|[bBoO][0-9])")


class Token(NamedTuple):
    """A token of a line. `kind` is the name of a group of `_TOKEN`, or `unit` or `end`."""

    kind: str
    text: str
    spaced: bool  # whitespace stands before it
    unit: Unit | None = None


END_OF_LINE = Token("end", "the end of the line", spaced=False)


def tokenize(line: str) -> list[Token]:
    """The tokens of a line, and `END_OF_LINE` as the last one. Raises `Unreadable`."""
    if len(line) > MAX_LINE_CHARACTERS:
        raise Unreadable(f"longer than {MAX_LINE_CHARACTERS} characters")
    if not line.isascii() and _FOREIGN.search(line):
        raise Unreadable("a character outside ASCII that no name has")
    tokens: list[Token] = []
    position, spaced = 0, False
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            raise Unreadable(f"unexpected character {line[position]!r}")
        kind, text = match.lastgroup or "", match[0]
        end = match.end()
        if kind == "space":
            spaced = True
            position = end
            continue
        token = Token(kind, text, spaced)
        if kind == "name":
            after_number = spaced and tokens and tokens[-1].kind in ("number", "ratio")
            if after_number and text not in WORD_OPERATORS and (measured := match_unit(line, position)):
                unit, end = measured
                token = Token("unit", line[position:end], spaced, unit)
            elif _NUMERAL.fullmatch(text):
                raise Unreadable(f"a numeral as a name: {text[:20]}")
        elif kind == "ratio" and line[end : end + 1] in ("^", "!"):
            raise Unreadable(f"ambiguous {line[end]!r} after the fraction {text[:20]}: put brackets round its operand")
        elif kind in ("number", "ratio") and _LEADING_ZERO.search(text):
            raise Unreadable(f"a number with a leading zero: {text[:20]}")
        elif kind == "number" and _OTHER_BASE.match(line, position):
            raise Unreadable(f"a number that is not decimal: {line[position : position + 20]}")
        elif len(text) > MAX_DIGITS:
            raise Unreadable(f"a number of more than {MAX_DIGITS} digits")
        tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            raise Unreadable(f"more than {MAX_TOKENS} tokens")
        position, spaced = end, False
    tokens.append(END_OF_LINE)
    return tokens
