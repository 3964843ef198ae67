"""The numbers of a question, where they stand and how they are written, and which of them must stay as they are.

A number stays that names something (`5th`, `page 30`, `3:15`, a year), that says what is so (a week of 7 days, a dog's
4 legs), or that tells how many things the text goes on to list. What words imply beside it is left to `implied`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from tuili.data.multiplying import number_words

MAX_PLACES = 3
"""Decimal places of numbers that are changed. More of them are a rounded fraction."""
_LARGEST = 10_000_000
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
_NUMBER = re.compile(
    r"(?<![\w.#])(?:(?P<money>\$ ?)?(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    rf"|(?P<word>(?i:{number_words.PATTERN})\b))(?P<percent> ?%| percent\b)?"
)
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
    r"|type|channel|line|flight|interstate|apollo|january|february|march|april|may|june|july|august|september|october"
    r"|november|december)(?: (?:is|was))? ?#?$",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(
    r"\b(?:in|since|by|from|until|till|year|during|early|late|before|after|of|and|to|through|for)(?: the)? $", re.I
)
_IN_YEAR = re.compile(
    r"\b(?:in|since|by|from|until|during|after|before|of|the|and|to)(?: the| early| late)? $", re.IGNORECASE
)
_COUNTED = re.compile(r" [a-z]+s\b(?<!was)(?<!has)(?<!is)(?<!as)(?<!his)(?<!this)| people\b|,[0-9]")
_YEAR_BEHIND = re.compile(r" ?(?:[.,;:?!)]|$|s\b|(?:and|to|through|until|was|were|is|the|he|she|they|there)\b)")
_CLOCK_BEHIND = re.compile(r" ?(?:[ap]\.?m\b|o'? ?clock)|:[0-9]| in the (?:morning|afternoon|evening)", re.IGNORECASE)
_CLOCK_BEFORE = re.compile(r"\b(?:at|until|till|by|around|before|after|past) $", re.IGNORECASE)
_ENDS = re.compile(r" ?(?:[.,;:?!)]|$|(?:and|to|every|on|in|but|if|how|when|then)\b)")
_FRACTION_BEHIND = re.compile(
    r"(?: and)? ?[0-9]+/[0-9]| ?/ ?[0-9]|(?: and)? a (?:half|quarter|third)|[- ](?:half|hal(?:f|ves)"
    r"|thirds?|fourths?|quarters?(?= of\b)|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|twelfths?|hundredths?)\b"
    r"| and (?:one|three)[- ](?:half|quarter|third)",
    re.IGNORECASE,
)
_SCALE_BEHIND = re.compile(r" (dozen|hundred|thousand|million)\b(?! (?:and )?(?:[a-z]+ty|[0-9]|a half))", re.IGNORECASE)
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
_DEFINED = re.compile(
    r" (?:fluid )?[a-z]+ (?:in|per|to|make|makes|equals?|are in|is) (?:a|an|one|each|every|1) (?:gallon|cup|pound|mile"
    r"|yard|foot|pint|quart|kilo[a-z]*|liter|meter|ton|ounce|hour|minute|day|week|month|year|dozen)\b",
    re.IGNORECASE,
)
"""How many of one unit another has."""
_CONVERTED = re.compile(
    r" (?:centimeters|cm|inches|feet|ounces|pounds|kilograms|kg|grams|liters) (?:per|in an?|to an?)"
    r" (?:inch|foot|pound|gallon|mile|kilogram|yard)\b",
    re.IGNORECASE,
)
_DECK = re.compile(r" cards\b")
_DEFINING = frozenset((2, 3, 4, 7, 8, 12, 16, 24, 30, 36, 52, 60, 100, 128, 365, 1000, 1760, 2000, 5280))
_BILL = re.compile(r"(?:[- ]dollar)? (?:bill|coin|note)s?\b", re.IGNORECASE)
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
_UNIT = re.compile(r"[- ]?([A-Za-z]+|%)")


@dataclass(frozen=True, slots=True)
class Mention:
    """A number of a text: `text[start:end]` is the number alone, without `$` and `%`.

    unit: the word behind it, in small letters. scale: what a word behind it multiplies it by, as in `3 dozen`.
    """

    start: int
    end: int
    value: Fraction
    places: int
    in_words: bool
    capital: bool
    grouped: bool
    money: bool
    percent: bool
    fixed: bool
    unit: str
    scale: int
    before: str
    behind: str
    """The text around it: some words of it."""


def mentions(text: str) -> list[Mention]:
    """The numbers of a text, in order."""
    lists = bool(_LISTING.search(text))
    return [mention for match in _NUMBER.finditer(text) if (mention := _mention(text, match, lists)) is not None]


def _mention(text: str, match: re.Match[str], lists: bool) -> Mention | None:
    kind = "digits" if match["digits"] else "word"
    written, (start, end) = match[kind], match.span(kind)
    if len(written) > 16:
        return None
    value = Fraction(written.replace(",", "")) if kind == "digits" else Fraction(number_words.read_number(written))
    before, behind = text[max(0, start - 40) : start], text[end : end + 80]
    money = bool(match["money"]) or bool(re.match(r" ?(?:dollars?|cents?|bucks)\b", behind))
    unit = _UNIT.match(behind)
    scaled = _SCALE_BEHIND.match(behind)
    places = len(written.partition(".")[2])
    return Mention(
        start,
        end,
        value,
        places,
        in_words=kind == "word",
        capital=written[0].isupper(),
        grouped="," in written,
        money=money,
        percent=bool(match["percent"]),
        fixed=_stays(text, match, kind, value, places, behind, lists),
        unit=unit[1].lower() if unit else "",
        scale=_SCALES[scaled[1].lower()] if scaled else 1,
        before=before,
        behind=behind,
    )


def _stays(text: str, match: re.Match[str], kind: str, value: Fraction, places: int, behind: str, lists: bool) -> bool:
    start, end = match.span(kind)
    before = text[max(0, start - 24) : start].removesuffix("$")
    if value <= 1 and value.denominator == 1:
        return True
    if value > _LARGEST or places > MAX_PLACES:
        return True
    if re.search(r"[-/:.,+*^=]$|[0-9] ?[x*×/] ?$", before) or re.match(r" ?[x×*/+=^] ?[0-9]|[/:^]|,[0-9]", behind):
        return True
    if re.match(r"[A-Za-z]", behind) and not _GLUED.match(behind):  # an ordinal, `5k`, `3D`
        return True
    if behind.startswith("-") and not (_COMPOUND.match(behind) or behind.startswith("-year-old")):
        return True
    if _FRACTION_BEHIND.match(behind) or _CLOCK_BEHIND.match(behind) or _NAMED_BEFORE.search(before):
        return True
    if 1500 <= value <= 2100 and _YEAR_BEFORE.search(before) and _YEAR_BEHIND.match(behind) and not match["money"]:
        return True
    if 1900 <= value <= 2099 and _IN_YEAR.search(before) and not _COUNTED.match(behind) and not match["money"]:
        return True
    if value <= 12 and _CLOCK_BEFORE.search(before) and _ENDS.match(behind):
        return True
    if _OTHER_SCALE.match(behind) and not _SCALE_BEHIND.match(behind):
        return True
    if kind == "word" and re.search(r"\b(?:hundred|thousand|million)(?: and)? $|\b(?:no|every|any|some)$", before):
        return True
    if (value in _DEFINING and _DEFINED.match(behind)) or _CONVERTED.match(behind) or _BILL.match(behind):
        return True
    if _DECK.match(behind) and re.search(r"\bdeck\b[^.?!]*$", text[:start]):
        return True
    if _CERTAIN.match(behind) or _is_certain(value, behind):
        return True
    listed = lists or _SMALL_GROUP.search(before) or _LISTED_BEHIND.match(text, end)
    return value <= _LARGEST_LISTED and bool(listed)


def _is_certain(value: Fraction, behind: str) -> bool:
    """Whether a number with its unit says what is so: `7 days`, `12 inches`."""
    units = _CERTAIN_UNITS.get(int(value)) if value.denominator == 1 else None
    unit = _UNIT.match(behind)
    return bool(units and unit and any(unit[1].lower() in (name, f"{name}s", f"{name}es") for name in units))
