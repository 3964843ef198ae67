"""Makes untrusted text harmless: nothing in it can control a terminal, reverse the line, hide, or look like a sign of
the display. The original text can be recovered unambiguously."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

NEWLINE, MASKED, BORDER = "↵", "⟦⟧", "¦"
"""Signs of the display: a newline within a token, the marks around masked text, and the border between tokens."""
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
"""Categories of characters that are shown as codes: they control the display, are invisible, or look like a space. The
space itself stays."""
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Invisible characters of other categories: `Default_Ignorable_Code_Point` of Unicode, and the blank Braille
pattern."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_CODE = re.compile(r"x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}")


def visible(text: str, behind: str = "", *, controls: Sequence[str] = (), right_to_left: bool = False) -> str:
    """Write characters that control the display, hide or mislead as their codes: `\\x1b`.

    A combining mark is such a character unless it follows a letter. Backslashes are doubled where they would form a
    code. behind: the text that follows. controls: texts of control tokens, which this text can only imitate: their
    first character is written as its code. right_to_left: whether to keep letters that reverse the order of adjacent
    text, for a display that isolates them.
    """
    whole, shown, before, place = text + behind, list[str](), "", 0
    while place < len(text):
        char, end = whole[place], place + 1
        if char == "\\":
            while whole[end : end + 1] == "\\":
                end += 1
            coded = end < len(whole) and (
                _CODE.match(whole, end) is not None or _misleads(whole, end, char, controls, right_to_left)
            )
            end = min(end, len(text))
            shown.append(char * (end - place) * (2 if coded else 1))
        else:
            shown.append(_code(char) if _misleads(whole, place, before, controls, right_to_left) else char)
        before, place = char, end
    return "".join(shown)


def _misleads(text: str, place: int, before: str, controls: Sequence[str], right_to_left: bool) -> bool:
    char = text[place]
    category = unicodedata.category(char)
    if category in _HIDDEN:
        return char != " "
    if category[0] == "M" and not (before and unicodedata.category(before)[0] in "LM"):
        return True
    if not right_to_left and unicodedata.bidirectional(char) in _RIGHT_TO_LEFT:
        return True
    is_sign = char in NEWLINE + MASKED + BORDER
    return is_sign or _BLANK.match(char) is not None or any(text.startswith(control, place) for control in controls)


def _code(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
