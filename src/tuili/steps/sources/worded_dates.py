"""Dates in words: `February 11, 2015`, `11 Feb 2015`, `2015年2月11日`; also a month of a year, and a day of a month."""

from __future__ import annotations

import re
from calendar import month_name

_NAMES = [*month_name][1:]
_NAME = "|".join(f"{name}|{name[:3]}\\.?" for name in _NAMES) + "|Sept\\.?"
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th)?(?![0-9])"
_YEAR = r"[0-9]{4}(?![0-9])"
_ENDS = r"(?=[^\w\s]|\s*\Z|\s+(?:and|at|is|of|or|to|until|was|what|which)\b)"
"""What follows a month and a day without a year, but does not follow `May 3` in `May 3 students sit here?`"""

WORDED_DATE = (
    rf"(?:{_NAME})\s+{_DAY},?\s+{_YEAR}"
    rf"|{_DAY}(?:\s+of)?\s+(?:{_NAME}),?\s+{_YEAR}"
    rf"|(?:{_NAME}),?\s+{_YEAR}"
    rf"|(?:{_NAME})\s+{_DAY}{_ENDS}"
    rf"|{_DAY}(?:\s+of)?\s+(?:{_NAME}){_ENDS}"
    r"|[0-9]{4}年[0-9]{1,2}月(?:[0-9]{1,2}[日号])?"
    r"|[0-9]{1,2}月[0-9]{1,2}[日号]"
)
"""The pattern of such a date, in any letter case. It has no groups, and begins where no word continues."""

_NUMBERS = re.compile(r"[0-9]+")
_MONTH_NAME = re.compile("|".join(name[:3] for name in _NAMES), re.IGNORECASE)


def read_worded_date(text: str) -> tuple[int | None, int, int | None]:
    """Year, month and day of what the pattern matches; None for each that the text does not contain."""
    numbers = list(map(int, _NUMBERS.findall(text)))
    if named := _MONTH_NAME.search(text):
        month = next(at for at, name in enumerate(_NAMES, start=1) if name.lower().startswith(named[0].lower()))
        year = next((number for number in numbers if number > 31), None)
        return year, month, next((number for number in numbers if number <= 31), None)
    if "年" not in text:
        return None, numbers[0], numbers[1]
    return numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else None
