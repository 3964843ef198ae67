"""Relations in words: `n^2 + n is even`, `n^3 - n 能被 6 整除`, `4 divides a - b` as relations of remainders.

`formulas` finds the terms next to the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SMALL = dict(zip(("one", "two", *"一二三四五六七八九十"), (1, 2, *range(1, 11)), strict=True))
_COUNT = rf"(?:[0-9]{{1,6}}|{'|'.join(_SMALL)})"
_ENDS = r"(?![0-9]|\.[0-9]| ?[-+^*/!%])"
"""What follows a number must not continue it."""
_SURELY = r"(?:(?:always|indeed|necessarily|certainly|also|exactly|evenly) ){0,4}"
_SURELY_ZH = r" ?(?:总是?|恒|都|均|必然?|必定|一定|始终|永远){0,4}"
_BEHIND = re.compile(
    rf" (?:is|must be|will be) {_SURELY}(?:divisible by|an? (?:integer )?multiple of) (?P<divisor>{_COUNT})\b{_ENDS}"
    rf"| is never (?:divisible by|a multiple of) (?P<never>{_COUNT})\b{_ENDS}"
    rf"| (?:is|must be|will be) {_SURELY}(?:an )?(?:(?P<even>even)|(?P<odd>odd))(?: (?:number|integer))?\b"
    rf"| {_SURELY}leaves (?:a |the )?remainder (?:of )?(?P<rest>{_COUNT}|0|zero)"
    rf" (?:when divided|on division|upon division|after division) by (?P<by>{_COUNT})\b{_ENDS}"
    rf"|{_SURELY_ZH} ?(?:可以|能够?|可)?被 ?(?P<divisor_zh>{_COUNT}) ?整除"
    rf"|{_SURELY_ZH} ?(?:是|为) ?(?P<multiple_zh>{_COUNT}) ?的倍数"
    rf"|{_SURELY_ZH} ?不(?:可以|能够?|可)?被 ?(?P<never_zh>{_COUNT}) ?整除"
    rf"|{_SURELY_ZH} ?(?:是|为) ?(?:(?P<even_zh>偶数)|(?P<odd_zh>奇数))"
    rf"|{_SURELY_ZH} ?(?:被|除以) ?(?P<by_zh>{_COUNT}) ?除? ?(?:所得)?的?余"
    rf"(?:数(?:都|总|恒|必)?[是为])? ?(?P<rest_zh>{_COUNT}|0){_ENDS}",
    re.IGNORECASE | re.ASCII,
)
_BEFORE = re.compile(rf"\b(?P<divisor>(?:[0-9]{{1,6}})) {_SURELY}divides ", re.ASCII)


class Predicate(NamedTuple):
    """Words that say what remainder a term leaves, and their position. The term stands before or after them."""

    start: int
    end: int
    is_before_term: bool
    divisor: int
    relation: str
    remainder: int

    def of(self, term: str) -> str:
        """What the words say about a term, in the step language."""
        dividend = term if re.fullmatch(r"\w+(?:\^\w+)?", term) else f"({term})"
        return f"{dividend} mod {self.divisor} {self.relation} {self.remainder}"


def predicates(text: str) -> Iterator[Predicate]:
    """The words in a text that say what remainder a term leaves."""
    for match in _BEHIND.finditer(text):
        found = {name.removesuffix("_zh"): value for name, value in match.groupdict().items() if value}
        if "even" in found or "odd" in found:
            yield Predicate(*match.span(), False, 2, "=", int("odd" in found))
        elif "by" in found:
            divisor, remainder = _number(found["by"]), _number(found["rest"])
            if remainder < divisor:
                yield Predicate(*match.span(), False, divisor, "=", remainder)
        else:
            ((name, number),) = found.items()
            if _number(number):
                yield Predicate(*match.span(), False, _number(number), "!=" if name == "never" else "=", 0)
    for match in _BEFORE.finditer(text):
        if _number(match["divisor"]):
            yield Predicate(*match.span(), True, _number(match["divisor"]), "=", 0)


def _number(written: str) -> int:
    return 0 if written.lower() == "zero" else _SMALL.get(written.lower()) or int(written)
