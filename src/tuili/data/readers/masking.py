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
_WORD = rf"(?:{'|'.join(sorted(_WORDS.split(), key=len, reverse=True))})"
_IN_WORDS = re.compile(rf"\b{_WORD}(?:(?:[- ]|,? and |, ){_WORD})*\b")
_IN_DIGITS = re.compile(r"(?:[0-9]+ )?[0-9]+/[0-9]+|[0-9]*(?:[.,][0-9]+)+|[0-9]+(?:(?:st|nd|rd|th)\b)?")
_IN_CHINESE = re.compile("[零〇一二三四五六七八九十百千万亿两]+")
_BETWEEN = re.compile(rf"[^\w{MARK}]+")


def masked_question(text: str) -> str:
    """A question with `#` for every number in digits or words, in lower case, its words between single spaces.

    Punctuation and signs of currencies are left out: a comma makes no other question.
    """
    text = " ".join(unicodedata.normalize("NFKC", text).lower().replace(MARK, " ").split())
    for number in (_IN_DIGITS, _IN_WORDS, _IN_CHINESE):
        text = number.sub(f" {MARK} ", text)
    return " ".join(_BETWEEN.sub(" ", text).replace("_", " ").split())
