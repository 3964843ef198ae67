"""What a name looks like, and the ASCII forms of other characters, such as East Asian keyboards write.

`Ｐ１：ｘ ＞ ３。` becomes `P1:x > 3. `. Only forms with the same meaning are converted: `²` and `½` stay what they are.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import chain

CJK = "\u3005\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
"""Ideographs, kana and Hangul, as part of a character class."""
NAME = rf"[A-Za-z_][A-Za-z0-9_]*|[{CJK}][{CJK}0-9_]*"
"""A pattern of names. Letters and CJK characters are not mixed: `非A` would hide `A`."""

_BLOCKS = (range(0xA0, 0xA1), range(0x2000, 0x2150), range(0x3000, 0x3001), range(0xFE10, 0xFE70))
_MORE_BLOCKS = (range(0xFF01, 0xFFEF), range(0x1D400, 0x1D800))
_SAME = ("<wide>", "<narrow>", "<small>", "<vertical>", "<font>", "<noBreak>")
_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_ENDS_OF_CLAUSES = ",;?!"
"""ASCII text has a space after these characters; their wide forms have none."""


@cache
def _plain() -> dict[int, str]:
    """Maps each character that has an ASCII form to that form."""
    forms = {}
    for code in chain(*_BLOCKS, *_MORE_BLOCKS):
        character = chr(code)
        same = unicodedata.normalize("NFKC", character)
        if len(same) == 1 and same.isascii() and unicodedata.decomposition(character).startswith(_SAME):
            forms[code] = same + " " if same in _ENDS_OF_CLAUSES else same
        elif character.isspace():
            forms[code] = " "
    forms |= dict.fromkeys(map(ord, "。｡"), ". ") | dict.fromkeys(map(ord, "、､"), ", ")
    return forms | dict.fromkeys(map(ord, _LINE_ENDS), "\n")


def plain(text: str) -> str:
    """Converts every character to its ASCII form if it has one, and every line end to a newline."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_plain())
