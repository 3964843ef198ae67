"""The numbers of a line, as its terms hold them, and the numbers of a text, as they are written there.

Signs, percent signs and units do not count: `-8 kg` holds 8. A date or a time of day is one number with parts; a
weekday is also one number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from tuili.steps.language import terms
from tuili.steps.language.grammar import WEEKDAYS
from tuili.steps.language.lexer import MAX_DIGITS
from tuili.steps.language.printer import render_term
from tuili.steps.language.terms import Term
from tuili.steps.sources.worded_dates import WORDED_DATE, read_worded_date

MAX_TEXT_CHARACTERS = 20_000

Key: TypeAlias = int | Fraction | tuple[str, int, int, int]
"""What makes two numbers the same: the value, or the content of a date, month, day, time of day or weekday."""

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.])(?:"
    rf"(?P<worded>(?i:{WORDED_DATE}))"
    r"|(?P<date>[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?![0-9]))"
    r"|(?P<month>[0-9]{4}-(?:0[1-9]|1[0-2])(?![0-9-]))"
    r"|(?P<clock>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?![0-9]))"
    r"|(?P<group>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]))"
    r"|(?P<ratio>[0-9]+/[0-9]+(?![0-9/]|\.[0-9]))"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?))"
)
_ORDINAL_ENDINGS = ("st", "nd", "rd", "th")
_CLOCK_KIND = re.compile(r"(?:12|24)(?: hours?\)|[- ]hours? (?:clock|time|format|notation)| ?小时制)")
_MAX_INDENT = 8
"""The maximum number of spaces before an item of a list."""
_ITEM_MARK = re.compile(r"[.)](?= )")
_WEEKDAY = re.compile(
    "|".join(
        rf"(\b{name}s?\b|(?:星期|周|礼拜){sign})"
        for name, sign in zip(WEEKDAYS, (*"一二三四五六", "[日天]"), strict=True)
    ),
    re.IGNORECASE,
)


class Numeral(NamedTuple):
    """A number as written; `parts` are the whole numbers that make up a fraction, a date or a time.

    `is_apart` says whether it names something: the exponent of a unit (`m^2`), an ordinal (`29th`), a weekday, a day
    without a certain year, an item of a list (`2. `), a kind of clock (`24-hour clock`).
    """

    text: str
    key: Key
    parts: tuple[int, ...] = ()
    is_apart: bool = False


def numerals(term: Term) -> Iterator[Numeral]:
    """The numbers of a term, from left to right."""
    match term:
        case terms.Number(value=value):
            key = _key(value)
            yield Numeral(str(key) if isinstance(key, int) and not term.places else render_term(term), key)
        case terms.Ratio(numerator=numerator, denominator=denominator):
            yield _ratio(render_term(term), numerator, denominator)
        case terms.Measure(number=number):
            yield from numerals(number)
        case terms.Day(year=year, month=month, day=day):
            yield Numeral(render_term(term), ("date", year, month, day), (year, month, day))
        case terms.Month(year=year, month=month):
            yield Numeral(render_term(term), ("month", year, month, 0), (year, month))
        case terms.WeekdayName(name=name):
            yield Numeral(name, ("weekday", WEEKDAYS.index(name), 0, 0))
        case terms.Clock(hour=hour, minute=minute, second=second):
            yield _clock(render_term(term), hour, minute, second)
        case _:
            for child in terms.children(term):
                yield from numerals(child)


def numerals_of_text(text: str) -> list[Numeral]:
    """The numbers of a text that is not a step, such as a prompt. Labels (`P1`) and names (`x2`) contain none."""
    text = unicodedata.normalize("NFKC", text[:MAX_TEXT_CHARACTERS])
    found = []
    for match in _NUMBER.finditer(text):
        written = match[0]
        if len(written) > MAX_DIGITS:
            continue
        before, behind = text[max(0, match.start() - 2) : match.start()], text[match.end() : match.end() + 2]
        is_apart = before.rstrip("-").endswith("^") or behind in _ORDINAL_ENDINGS or _names(text, match)
        found.append(_read(match.lastgroup or "", written, is_apart))
    for match in _WEEKDAY.finditer(text):
        found.append(Numeral(match[0], ("weekday", (match.lastindex or 0) - 1, 0, 0), is_apart=True))
    return found


def _names(text: str, match: re.Match[str]) -> bool:
    """Whether a number marks an item of a list, or says which kind of clock is meant."""
    if _CLOCK_KIND.match(text, match.start()):
        return True
    start = match.start()
    before = text[max(0, start - _MAX_INDENT) : start].rstrip(" (")
    begins_line = before.endswith("\n") or (not before and start < _MAX_INDENT)
    return begins_line and _ITEM_MARK.match(text, match.end()) is not None


def _read(kind: str, written: str, is_apart: bool) -> Numeral:
    if kind == "worded":
        return _worded(written)
    if kind == "date":
        year, month, day = map(int, written.split("-"))
        return Numeral(written, ("date", year, month, day), (year, month, day))
    if kind == "month":
        year, month = map(int, written.split("-"))
        return Numeral(written, ("month", year, month, 0), (year, month))
    if kind == "clock":
        hour, minute, *rest = map(int, written.split(":"))
        return _clock(written, hour, minute, rest[0] if rest else None)
    if kind == "ratio":
        numerator, denominator = map(int, written.split("/"))
        return _ratio(written, numerator, denominator)
    groups = tuple(map(int, written.split(","))) if kind == "group" else ()  # `gcd(765,986)` has two numbers
    return Numeral(written, _key(Fraction(written.replace(",", ""))), groups, is_apart)


def _worded(written: str) -> Numeral:
    """A date in words, with the key of the same date in digits. Without a year it has its own key."""
    year, month, day = read_worded_date(written)
    kind = "day" if year is None else "month" if day is None else "date"
    parts = tuple(part for part in (year, month, day) if part is not None)
    return Numeral(written, (kind, year or 0, month, day or 0), parts, is_apart=year is None)


def _key(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _ratio(text: str, numerator: int, denominator: int) -> Numeral:
    key = _key(Fraction(numerator, denominator)) if denominator else numerator
    return Numeral(text, key, (numerator, denominator))


def _clock(text: str, hour: int, minute: int, second: int | None) -> Numeral:
    parts = (hour, minute) if second is None else (hour, minute, second)
    return Numeral(text, ("time", hour, minute, second or 0), parts)
