"""The other values that a number of a question may have: of similar size and roundness, and plausible with its unit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction

from tuili.data.multiplying.chain import Exact, exact
from tuili.data.multiplying.mentions import Mention
from tuili.data.multiplying.number_words import LARGEST

_MAX_CANDIDATES = 400
_SMALL = 10
_LONG_TIME = 25
"""From this number of years on, a person has only few more."""
_NARROW = re.compile(
    r"[- ](?:years?[- ]old|years? of age|(?:feet|foot|inches|cm|meters|ft)[- ](?:tall|high)|tall\b"
    r"|mph\b|km/h\b|(?:miles|kilometers|km) (?:per|an|each|every) hour|degrees|°)",
    re.IGNORECASE,
)
_NARROW_BEFORE = re.compile(
    r"\b(?:weighs?|weighed|(?:body)?weight (?:of|is)|age|aged|is|was|turns?|turned|tall|height(?: of)?) $",
    re.IGNORECASE,
)
_CAPS = tuple(
    (re.compile(pattern, re.IGNORECASE), above, most)
    for pattern, above, most in (
        (r"[- ]days? (?:a|per|each|every|in a|of the|this|that|out of the) week", 7, 7),
        (r"[- ](?:times|trips|games|classes|lessons|nights|mornings) (?:a|per|each|every|in a) week", 7, 7),
        (r"[- ]hours? (?:(?:a|per|each|every|in a|of) (?:day|night|morning|afternoon|evening)|daily|on )", 12, 12),
        (r"[- ]hours? .{0,30}(?:every|each|per|a) (?:day|night|morning)", 12, 12),
        (r"[- ]hours? (?:last |that |at |of |to)?(?:night|sleep)", 12, 12),
        (r"[- ]hours?\b", 24, 24),
        (r"[- ]minutes?\b", 59, 59),
        (r"[- ]seconds?\b", 59, 59),
        (r"[- ]months?\b", 11, 11),
        (r"[- ]days?\b", 6, 6),
        (r"[- ]days?\b", 30, 30),
        (r"[- ]weeks?\b", 51, 51),
        (r"(?: [a-z]+)? times\b", 20, 12),
        (
            r" (?:[a-z]+ )?(?:aunts|uncles|(?:grand)?(?:children|kids|sons|daughters)|(?:brothers|sisters|siblings))\b",
            8,
            8,
        ),
    )
)

_SMALLER_UNITS = tuple(
    (re.compile(rf"\b(?:{larger})(?: and)? $", re.IGNORECASE), unit, most)
    for larger, unit, most in (("feet|foot|ft", "inch", 11), ("pounds?|lbs?", "ounce", 15))
)
"""The smaller unit that may follow a number of a larger unit, and its maximum."""


def candidates(group: Sequence[Mention]) -> list[Exact]:
    """The other values that all of these mentions, which share one value, may have; empty if there are none."""
    value = group[0].value
    places = min(mention.places for mention in group)  # every mention must be able to write it: $2.5 equals $2.50
    low, high = _bounds(value)
    step = _step(value, places, any(mention.money for mention in group))
    for mention in group:
        narrowest, widest = _limits(mention)
        low, high = max(low, narrowest), min(high, widest)
    first, last = math.ceil(low / step), math.floor(high / step)
    stride = max(1, (last - first) // _MAX_CANDIDATES)
    found = [number * step for number in range(first, last + 1, stride)]
    return [exact(one) for one in found if one != value and (places == 0 or _keeps_places(one, places, group))]


def _bounds(value: Fraction) -> tuple[Fraction, Fraction]:
    if value < 1:
        return value / 2, min(value * 2, Fraction(99, 100))
    if value.denominator > 1:
        return max(value / 2, Fraction(11, 10)), value * 2
    if value <= _SMALL:
        return Fraction(2), max(value + 4, value * Fraction(8, 5))
    return value / 2, value * 2


_ROUNDS = {
    (2, True): (Fraction(1, 4), Fraction(1, 20)),
    (2, False): (Fraction(1, 4),),
    (3, False): (Fraction(1, 8),),
}
"""For decimal places, and whether it is money: the steps of which round decimals are multiples."""


def _step(value: Fraction, places: int, money: bool) -> Fraction:
    """The minimum difference between values: 5 for 35, 10 for 120, 0.05 for $1.35, 0.1 for 28.3."""
    if places:
        rounds = _ROUNDS.get((places, money), ())
        return next((one for one in rounds if value % one == 0), Fraction(1, 10**places))
    number = int(value)
    if number < 20:
        return Fraction(1)
    power = 10 ** (len(str(number)) - 1)
    for round_number in (power // 2, power // 10, power // 20, power // 100):
        if round_number >= 5 and number % round_number == 0:
            return Fraction(round_number)
    return Fraction(5 if number % 5 == 0 and number < 100 else 1)


def _limits(mention: Mention) -> tuple[Fraction, Fraction]:
    value, low, high = mention.value, Fraction(0), Fraction(10**9)
    if mention.percent:
        low, high = (Fraction(2), Fraction(95)) if value < 100 else (value * Fraction(3, 5), value * Fraction(8, 5))
    elif (
        _NARROW.match(mention.behind)
        or _is_age(mention)
        or (_NARROW_BEFORE.search(mention.before) and mention.unit in _WEIGHED)
    ):
        low, high = value * Fraction(3, 4), value * Fraction(4, 3) + 1
    if mention.unit in ("year", "years") and value >= _LONG_TIME:
        high = min(high, value * Fraction(6, 5))
    if mention.in_words:
        high = min(high, Fraction(12 if value <= 12 else 20 if value <= 20 else LARGEST))
    if mention.scale > 1:
        high = min(high, Fraction(20))
    for before, unit, most in _SMALLER_UNITS:
        if value <= most and mention.unit.startswith(unit) and before.search(mention.before):
            high = min(high, Fraction(most))
    for behind, above, most in _CAPS:
        if value <= above and behind.match(mention.behind):
            high = min(high, Fraction(most))
            break
    return low, high


def _is_age(mention: Mention) -> bool:
    """Whether a number is the age at which something happens, as in `at 13.` or `when he is 18`."""
    if not 4 <= mention.value <= 99:
        return False
    at_end = not re.match(r" ?\w", mention.behind)
    if mention.unit in ("years", "year", "") and _AGED.search(mention.before):
        return True
    return bool(_WHEN.search(mention.before)) or (at_end and bool(_AT.search(mention.before)))


_AT = re.compile(r"\bat(?: age)? $")
_WHEN = re.compile(r"\bwhen (?:he|she|i|they) (?:is|was|were|am|are|turned|turns) $", re.IGNORECASE)
_AGED = re.compile(r"\b(?:aged?|ages|older|younger)\b[^.?!]{0,25}$", re.IGNORECASE)
_WEIGHED = frozenset(("years", "year", "pounds", "lbs", "kg", "kilograms", "feet", "inches", "centimeters", ""))


def _keeps_places(value: Fraction, places: int, group: Sequence[Mention]) -> bool:
    """Whether a decimal ends in a digit other than 0, unless it is a price."""
    return (any(mention.money for mention in group) and places == 2 and value.denominator > 1) or (
        value * 10**places
    ) % 10 != 0
