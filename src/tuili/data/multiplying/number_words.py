"""Whole numbers in English words, from two to ninety-nine: reading and writing them."""

from __future__ import annotations

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * tens for tens, word in enumerate(_TENS, start=2)
}
LARGEST = 99
PATTERN = (
    rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_SMALL[1:10])}))?|{'|'.join(sorted(_SMALL[1:], key=len)[::-1])})"
)
"""Matches such a number in lower case, and `one`; the caller must add word boundaries."""


def read_number(words: str) -> int:
    """The value of a text that matches the pattern, in any case."""
    return sum(_VALUES[word] for word in words.lower().replace("-", " ").split())


def number_in_words(value: int) -> str:
    """Write a number in lower-case words: `forty-two`."""
    assert 0 <= value <= LARGEST
    if value < len(_SMALL):
        return _SMALL[value]
    tens, ones = divmod(value, 10)
    return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")
