"""Masking of personal data: addresses of mail, numbers of telephones, and keys to services.

It masks by form alone: names and postal addresses stay. A document is never dropped for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Literal

import numpy as np
from pydantic import Field

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.characters import Class
from tuili.data.pipeline.document import Document

What = Literal["mail", "phone", "key"]

_MAIL = re.compile(r"(?<![\w.+-])[\w][\w.+-]{0,63}@(?:[\w-]{1,63}\.){1,8}[a-zA-Z]{2,24}(?![\w-])")
_PHONE = re.compile(
    r"""(?<![\w.+/-])(?:
        \+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}   # +44 20 7946 0958
      | \(\d{3}\)[ ]?\d{3}[ .-]\d{4}                                              # (212) 555-0123
      | \d{3}[-.]\d{3}[-.]\d{4}                                                   # 212-555-0123
      | 1[3-9]\d{9} | 1[3-9]\d[ -]\d{4}[ -]\d{4}                                  # a Chinese mobile number
      | 0\d{2,3}-\d{7,8}                                                          # a Chinese landline
    )(?![\w/-]|\.\d)""",
    re.VERBOSE,
)
_KEY = re.compile(
    r"""-----BEGIN[ ][A-Z ]{0,30}PRIVATE[ ]KEY-----[\s\S]{0,10000}?-----END[ ][A-Z ]{0,30}PRIVATE[ ]KEY-----
      | (?<![\w-])(?:
          (?:AKIA|ASIA)[A-Z0-9]{16}
        | gh[pousr]_[A-Za-z0-9]{36,255} | github_pat_[A-Za-z0-9_]{22,255} | glpat-[A-Za-z0-9_-]{20,64}
        | sk-[A-Za-z0-9_-]{20,200} | xox[abprs]-[A-Za-z0-9-]{10,200} | AIza[A-Za-z0-9_-]{35} | hf_[A-Za-z0-9]{30,64}
        | eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}
      )(?![\w-])""",
    re.VERBOSE,
)
_KEY_SIGNS = (
    "PRIVATE KEY",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "hf_",
    "sk-",
    "xox",
    "AIza",
    "glpat-",
    "eyJ",
)
_SEVEN_DIGITS = re.compile(r"\d(?:[ ().-]{0,3}\d){6}")
_SPAN = 24
"""Characters from the first to the last of seven such digits, at most."""


def may_hold_phone(document: Document) -> bool:
    """Whether seven digits stand as near to one another as in a number of a telephone."""
    digits = np.flatnonzero(document.words.classes == Class.DIGIT)
    return bool((digits[6:] - digits[:-6] <= _SPAN).any()) and _SEVEN_DIGITS.search(document.text) is not None


class Masking(StrEnum):
    """It drops nothing."""


class MaskingSettings(BlockSettings):
    """Masking in a recipe."""

    block: Literal["mask"]
    what: tuple[What, ...] = Field(("mail", "phone", "key"), min_length=1, description="What is masked.")

    def build(self) -> MaskingBlock:
        """The block."""
        return MaskingBlock(self.what)


class MaskingBlock(Block):
    """Replaces what it finds by `[mail]`, `[phone]` or `[key]`, and counts it in the measures."""

    name = "mask"
    Reason = Masking

    _forms: tuple[tuple[What, re.Pattern[str], Callable[[Document], bool]], ...] = (
        ("key", _KEY, lambda document: any(sign in document.text for sign in _KEY_SIGNS)),
        ("mail", _MAIL, lambda document: "@" in document.text),
        ("phone", _PHONE, lambda document: may_hold_phone(document)),
    )

    def __init__(self, what: tuple[What, ...]) -> None:
        self._chosen = [form for form in self._forms if form[0] in what]

    def apply(self, document: Document) -> Document:
        """The document with what was found masked."""
        text, found = document.text, dict[str, float]()
        for name, pattern, may_hold in self._chosen:
            if may_hold(document):  # most documents hold none, and to look for a sign is cheap
                text, count = pattern.subn(f"[{name}]", text)
                if count:
                    found[f"masked_{name}"] = count
        return document.with_text(text).with_measures(**found) if found else document
