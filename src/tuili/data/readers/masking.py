"""A question without its numbers, by which two questions are told to be the same but for them.

It decides what counts as seen in training; how a number is read is left to `tuili.steps`.
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
    """A question in small letters, with `#` for its numbers in digits or words, and nothing between its words.

    Punctuation, spaces and signs of currencies are left out: a comma makes no other question, and neither does `do n't`
    for `don't`. Numbers that follow one another become one `#`, for `2,500` is also `two thousand, five hundred`.
    """
    text = unicodedata.normalize("NFKC", text).replace(MARK, " ").casefold()
    return _SEVERAL.sub(MARK, _BETWEEN.sub("", _NUMBER.sub(MARK, text)))
