"""The numbers of a question, with their positions and spellings.

`staying` decides which of them must not change; `implied` finds the values that words imply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from tuili.data.multiplying import number_words
from tuili.data.multiplying.staying import SCALE_BEHIND, UNIT, stays

_SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
_NUMBER = re.compile(
    r"(?<![\w.#])(?:(?P<money>[$£€] ?)?(?P<digits>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    rf"|(?P<word>(?i:{number_words.PATTERN})\b))(?P<percent> ?%| percent\b)?"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A number of a text: `text[start:end]` is only the number, without `$` and `%`.

    unit: the word after it, in lower case. scale: the factor given by a word after it, as in `3 dozen`.
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
    """Some of the text before and after the number."""


def mentions(text: str) -> list[Mention]:
    """The numbers of a text, in order."""
    return [mention for match in _NUMBER.finditer(text) if (mention := _mention(text, match)) is not None]


def _mention(text: str, match: re.Match[str]) -> Mention | None:
    kind = "digits" if match["digits"] else "word"
    written, (start, end) = match[kind], match.span(kind)
    if len(written) > 16:
        return None
    value = Fraction(written.replace(",", "")) if kind == "digits" else Fraction(number_words.read_number(written))
    before, behind = text[max(0, start - 40) : start], text[end : end + 80]
    money = bool(match["money"]) or bool(re.match(r" ?(?:(?:dollars?|cents?|bucks|euros?)\b|[$£€])", behind))
    unit = UNIT.match(behind)
    scaled = SCALE_BEHIND.match(behind)
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
        fixed=stays(text, match, value, places),
        unit=unit[1].lower() if unit else "",
        scale=_SCALES[scaled[1].lower()] if scaled else 1,
        before=before,
        behind=behind,
    )
