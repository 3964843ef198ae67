"""Digits in groups of three: `1,234` is `1234`, unless it is a list or a decimal comma.

`1,234,567` is one number: a list is written with spaces, in brackets, or called one (`Sort 1,234,567`). `1 234` is one
number only next to an operator, as no formula has two numbers in a row.
"""

from __future__ import annotations

import re

_NO_BREAK = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:[\u00a0\u2009\u202f][0-9]{3})+(?![0-9,\u00a0\u2009\u202f])")
_COMMAS = re.compile(r"(?<![0-9.,A-Za-z_])[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9A-Za-z_]|,[0-9]|\.[0-9]+[.,][0-9])")
_SPACES = re.compile(
    r"(?<![0-9.,A-Za-z_])(?:(?<=[+*/=] )|(?<= - ))[1-9][0-9]{0,2}(?: [0-9]{3})+(?![0-9A-Za-z_]|[.,:/-][0-9]| [0-9])"
    r"|(?<![0-9.,:/A-Za-z_-])(?<![0-9] )[1-9][0-9]{0,2}(?: [0-9]{3})+(?= [-+*/=] ?[0-9])"
)
_TAKES_TWO = re.compile(
    r"\b(?:sum|add|gcd|lcm|divisor|factor|multiple|difference|product|compare|between|larger|smaller|greater|largest"
    r"|smallest|max|min|which)\b|公约数|公因数|公倍数|[之的][和差积]|比较|最[大小]|哪个",
    re.IGNORECASE,
)
_TWO = re.compile(r" (?:and|or|by|from|to|than|minus|plus|times) |[和与跟到、]|, |[-+*/=]")
_LISTED = re.compile(
    r"\b(?:sort|order|arrange|lists?|numbers|values|data|sets?|sequence|mean|median|average|mode|pins?|codes?)\b"
    r"|[排数]列|排序|平均|中位|众数|从[大小]到|这些|各数",
    re.IGNORECASE,
)


def join_no_break_groups(text: str) -> str:
    """Joins groups separated by narrow or no-break spaces, which occur only inside a number."""
    return _NO_BREAK.sub(lambda number: re.sub(r"[^0-9]", "", number[0]), text)


def join_digit_groups(text: str) -> str:
    """Joins groups separated by commas, and groups separated by spaces next to an operator."""
    if not re.search("[0-9][ ,][0-9]{3}", text):
        return text
    return "\n".join(map(_join, text.split("\n")))


def _join(line: str) -> str:
    if _LISTED.search(line) or (_TAKES_TWO.search(line) and not _TWO.search(line)):
        return line
    depths = _depths(line)
    line = _COMMAS.sub(lambda number: number[0] if depths[number.start()] else number[0].replace(",", ""), line)
    return _SPACES.sub(lambda number: number[0].replace(" ", ""), line)


def _depths(line: str) -> list[int]:
    """The number of open brackets before each character."""
    depth, depths = 0, []
    for character in line:
        depths.append(depth)
        depth = max(0, depth + (character in "([{") - (character in ")]}"))
    return depths
