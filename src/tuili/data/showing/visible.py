"""Texts of others, made harmless: nothing in them can act on a terminal, turn the line round, or hide."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories of characters that are shown by their code: they steer, or nothing is drawn for them."""


def visible(text: str) -> str:
    """A text in which characters that steer a terminal, or that are not drawn, are written by their codes: `\\x1b`."""
    return "".join(_code(char) if unicodedata.category(char) in _HIDDEN else char for char in text)


def _code(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()
