"""Decides which numbers of a question must stay unchanged, whatever its steps do with them.

A number stays if it names something (`5th`, `page 30`, `3:15`, a year), states a fact (a week of 7 days, a dog's 4
legs), or counts items that the text goes on to list.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_PLACES = 3
"""The maximum decimal places of numbers that are changed. A number with more is a rounded fraction."""
_LARGEST = 10_000_000
UNIT = re.compile(r"[- ]?([A-Za-z]+|%)")
"""The word after a number."""
SCALE_BEHIND = re.compile(r" (dozen|hundred|thousand|million)\b(?! (?:and )?(?:[a-z]+ty|[0-9]|a half))", re.IGNORECASE)
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_GLUED_UNITS = "kg|km|cm|mm|ml|lbs?|oz|ft|in|mph|g|m|l"
_GLUED = re.compile(rf"(?:{_GLUED_UNITS})\b")
_COMPOUND = re.compile(
    r"-(?:year|mile|pound|ounce|minute|hour|page|foot|inch|day|week|month|meter|gallon|liter|gram|dollar|cent|acre|yard)s?"
    r"\b(?!-old)",
    re.IGNORECASE,
)
_NAMED_BEFORE = re.compile(
    r"\b(?:grade|level|day|week|year|month|room|number|numbers|no\.|chapter|pages?|size|part|step|round|game|problem"
    r"|question|route|bus|section|highway|gate|floor|lane|stage|phase|episode|season|volume|type|group|version|act|lot"
    rf"|channel|line|flight|interstate|apollo|{_MONTHS})(?: (?:is|was))? ?#?$",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(
    r"\b(?:in|since|by|from|until|till|year|during|early|late|before|after|of|and|to|through|for)(?: the)? $"
    rf"|(?:{_MONTHS}) [0-9]+(?:st|nd|rd|th)?,? $",
    re.IGNORECASE,
)
_IN_YEAR = re.compile(
    r"\b(?:in|since|by|from|until|during|after|before|of|the|and|to)(?: the| early| late)? $", re.IGNORECASE
)
_COUNTED = re.compile(r" [a-z]+s\b(?<!was)(?<!has)(?<!is)(?<!as)(?<!his)(?<!this)| people\b|,[0-9]")
_YEAR_BEHIND = re.compile(r" ?(?:[.,;:?!)]|$|s\b|(?:and|to|through|until|was|were|is|the|he|she|they|there)\b)")
_MONTH_BEHIND = re.compile(rf"(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS})\b")
_CAPITAL_BEFORE = re.compile(r"(?<![.?!:]) [a-z]*[A-Z]\w+ $")
_NAME_BEHIND = re.compile(r"[.,;:?!)]|$| (?:costs?|with|is|was|has|that|which|for|at)\b")
_CLOCK_BEHIND = re.compile(r" ?(?:[ap]\.?m\b|o'? ?clock)|:[0-9]| in the (?:morning|afternoon|evening)", re.IGNORECASE)
_CLOCK_BEFORE = re.compile(r"\b(?:at|until|till|by|around|before|after|past) $", re.IGNORECASE)
_ENDS = re.compile(r" ?(?:[.,;:?!)]|$|(?:and|to|every|on|in|but|if|how|when|then)\b)")
_FRACTION_BEHIND = re.compile(
    r"(?: and)? ?[0-9]+/[0-9]| ?/ ?[0-9]|(?: and)? a (?:half|quarter|third)|[- ](?:half|hal(?:f|ves)"
    r"|thirds?|fourths?|quarters?(?= of\b)|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|twelfths?|hundredths?)\b"
    r"| and (?:one|three)[- ](?:half|quarter|third)",
    re.IGNORECASE,
)
_OTHER_SCALE = re.compile(r" ?(?:dozen|hundred|thousand|million|billion|trillion|score)\b", re.IGNORECASE)
_CERTAIN = re.compile(
    r"[- ]?(?:(?:[a-z]+ )?(?:legs?|wheels?|eyes?|ears?|arms?|fingers?|toes?|wings?|sides?|corners|hooves|tires?|paws?"
    r"|feet each|seasons|suits|quarters in|innings|tails?|heads?|horns?|noses?|hands?|knees?|sleeves|planets"
    r"|continents|oceans|strings?|keys|vowels|letters in the|players on each)\b|degrees?\b|°|-?card deck|[- ]star\b"
    r"|[- ]packs?\b|d\b)",
    re.IGNORECASE,
)
_CERTAIN_UNITS = {
    7: ("day",),
    24: ("hour",),
    60: ("minute", "second", "min", "sec"),
    12: ("month", "inch"),
    365: ("day",),
    366: ("day",),
    52: ("week", "card"),
    30: ("day",),
    31: ("day",),
    28: ("day",),
    100: ("percent", "cent", "%", "cm", "centimeter", "year"),
    1000: ("gram", "meter", "ml", "milliliter", "g", "m"),
    16: ("ounce", "oz"),
    3: ("feet", "foot"),
    36: ("inch",),
    4: ("week", "quarter", "quart"),
    5: ("weekday", "workday", "nickel"),
    2: ("weekend", "pint", "parent", "twin", "half", "team"),
    5280: ("feet",),
    2000: ("pound",),
}
_UNITS = (
    "gallon|cup|pound|mile|yard|foot|pint|quart|kilo[a-z]*|liter|meter|ton|ounce|hour|minute|day|week|month|year|dozen"
)
_DEFINED = re.compile(
    r" (?:fluid )?[a-z]+ (?:in|per|to|make|makes|equals?|are in|is) (?:a|an|one|each|every|1)"
    rf" (?:{_UNITS})\b",
    re.IGNORECASE,
)
"""The number of units of one kind in a unit of another."""
_DEFINES = re.compile(
    rf"\b(?:an?|one|each|every|1) (?:fluid )?(?:{_UNITS}|inch) (?:is|equals|is equal to|has|contains|holds|makes|=)"
    r" (?:about |roughly |approximately )?$",
    re.IGNORECASE,
)
_OTHER_UNIT = re.compile(
    rf" ?(?:fluid )?(?:{_UNITS}|inche?|centimeter|millimeter|milliliter|gram|second|cm|mm|ml|g)s?\b", re.IGNORECASE
)
_CONVERTED = re.compile(
    r" (?:centimeters|cm|inches|feet|ounces|pounds|kilograms|kg|grams|liters) (?:per|in an?|to an?)"
    r" (?:inch|foot|pound|gallon|mile|kilogram|yard)\b",
    re.IGNORECASE,
)
_DECK = re.compile(r" cards\b")
_DEFINING = frozenset((2, 3, 4, 7, 8, 12, 16, 24, 30, 36, 52, 60, 100, 128, 365, 1000, 1760, 2000, 5280))
_BILL = re.compile(r"(?:[- ](?:dollar|pound|euro)|[£€])? (?:bill|coin|note)s?\b", re.IGNORECASE)
_SMALL_GROUP = re.compile(
    r"\b(?:the|these|those|all|other|of|both|between|his|her|their|its|my|our|whole) $", re.IGNORECASE
)
_LISTED_BEHIND = re.compile(
    r"[^.?!]*?(?:[:;—]| namely\b| one (?:of|is|was|has|had|for|in|at|with|that|which)\b| the other\b| another\b)"
    r"|(?:[- ][a-z]+){1,3},? (?:[A-Z][a-z]+, )*[A-Z][a-z]+,? and [A-Z][a-z]+",
)
_LISTING = re.compile(
    r"\b(?:the (?:first|second|third|fourth|other|former|latter|last) (?:one|of|is|was|has|had|costs?|weighs?|[a-z]+)"
    r"|one of (?:them|the|his|her|their)|another one|respectively|each other)\b",
    re.IGNORECASE,
)
_LARGEST_LISTED = 5


def stays(text: str, match: re.Match[str], value: Fraction, places: int) -> bool:
    """Whether a number must keep its value. match: the number's match, with groups `money`, `digits` and `word`."""
    start, end = match.span("digits" if match["digits"] else "word")
    before, behind = text[max(0, start - 24) : start].rstrip("$£€"), text[end : end + 80]
    return (
        (value <= 1 and value.denominator == 1)
        or value > _LARGEST
        or places > MAX_PLACES
        or _is_part(before, behind, match["word"] is not None)
        or _is_name(before, behind)
        or (not match["money"] and _is_time(before, behind, value))
        or _is_fact(text[:start], behind, value)
        or (value <= _LARGEST_LISTED and _is_of_list(text, before, end))
    )


def _is_part(before: str, behind: str, in_words: bool) -> bool:
    """Whether a number is part of a longer one, a calculation or a word: `2 1/2`, `5th`, `3D`, `3 x 4`."""
    return bool(
        re.search(r"[-/:.,+*^=]$|[0-9] ?[x*×/] ?$", before)
        or re.match(r" ?[x×*/+=^] ?[0-9]|[/:^]|,[0-9]", behind)
        or (re.match(r"[A-Za-z]", behind) and not _GLUED.match(behind))
        or (behind.startswith("-") and not (_COMPOUND.match(behind) or behind.startswith("-year-old")))
        or _FRACTION_BEHIND.match(behind)
        or (_OTHER_SCALE.match(behind) and not SCALE_BEHIND.match(behind))
        or (in_words and re.search(r"\b(?:hundred|thousand|million)(?: and)? $|\b(?:no|every|any|some)$", before))
    )


def _is_name(before: str, behind: str) -> bool:
    """Whether a number names something: `page 30`, `an iPhone 12 with`."""
    return bool(_NAMED_BEFORE.search(before) or (_CAPITAL_BEFORE.search(before) and _NAME_BEHIND.match(behind)))


def _is_time(before: str, behind: str, value: Fraction) -> bool:
    """Whether a number is a year, a day of the month or a time of day."""
    return bool(
        _CLOCK_BEHIND.match(behind)
        or _MONTH_BEHIND.match(behind)
        or (1500 <= value <= 2100 and _YEAR_BEFORE.search(before) and _YEAR_BEHIND.match(behind))
        or (1900 <= value <= 2099 and _IN_YEAR.search(before) and not _COUNTED.match(behind))
        or (value <= 12 and _CLOCK_BEFORE.search(before) and _ENDS.match(behind))
    )


def _is_fact(before: str, behind: str, value: Fraction) -> bool:
    """Whether a number states a fact: `60 minutes in an hour`, the `4 legs` of a dog, a `20 dollar bill`."""
    return bool(
        (value in _DEFINING and _DEFINED.match(behind))
        or (_DEFINES.search(before) and _OTHER_UNIT.match(behind))
        or _CONVERTED.match(behind)
        or _BILL.match(behind)
        or (_DECK.match(behind) and re.search(r"\bdeck\b[^.?!]*$", before))
        or _CERTAIN.match(behind)
        or _is_certain(value, behind)
    )


def _is_of_list(text: str, before: str, end: int) -> bool:
    """Whether a text may list, one by one, the items that a number in it counts."""
    return bool(_SMALL_GROUP.search(before) or _LISTED_BEHIND.match(text, end) or _LISTING.search(text))


def _is_certain(value: Fraction, behind: str) -> bool:
    """Whether a number and its unit state a fact: `7 days`, `12 inches`."""
    units = _CERTAIN_UNITS.get(int(value)) if value.denominator == 1 else None
    unit = UNIT.match(behind)
    return bool(units and unit and any(unit[1].lower() in (name, f"{name}s", f"{name}es") for name in units))
