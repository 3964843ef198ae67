"""Masks the numbers of a question, so that questions that differ only in their numbers compare equal.

This decides what counts as seen in training. `tuili.steps` reads the value of a number.
"""

from __future__ import annotations

import re
import unicodedata

MARK = "#"
_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion"
)
_ORDINALS = "first|second|(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)s?"
_NUMBER = re.compile(
    rf"(?:\ban? )?(?:\b(?:{'|'.join(sorted(_WORDS.split(), key=len, reverse=True))}|{_ORDINALS})\b"
    r"|\d+(?:(?:st|nd|rd|th)\b)?|[零〇一二三四五六七八九十百千万亿两]+)"
)
_BETWEEN = re.compile(rf"[^\w{MARK}]|_")
_SEVERAL = re.compile(rf"{MARK}(?:(?:and)?{MARK})+")


def masked_question(text: str) -> str:
    """A question in lower case, with `#` for each number in digits or words, and with nothing between its words.

    Punctuation, spaces and currency signs are removed, so that a comma, or `do n't` for `don't`, does not make another
    question. Adjacent numbers become one `#`, because `2,500` is also `two thousand, five hundred`.
    """
    text = unicodedata.normalize("NFKC", text).replace(MARK, " ").casefold()
    return _SEVERAL.sub(MARK, _BETWEEN.sub("", _NUMBER.sub(MARK, text)))
