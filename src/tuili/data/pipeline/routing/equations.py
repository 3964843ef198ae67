"""Finds calculations written out in a text, as steps: `48/2 = 24 clips` becomes `48 / 2 = 24`.

A calculation is taken only if nothing around it can belong to it (no letter or percent sign touches it; no variable,
function, or word such as `half of` or `day` precedes it), and only if it can be read in one way. The checker decides
whether it is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from tuili.data.readers.gsm8k import calculation_step

MAX_STEPS = 64
"""The maximum number of calculations taken from one text."""
_MAX_SIDE, _AROUND = 200, 12
"""The maximum characters of a side, and the characters inspected before and after a calculation."""
_WIDE = str.maketrans("０１２３４５６７８９＋－＊／＝％\u00a0\u3000", "0123456789+-*/=%  ", "\r")
_TYPESET: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\\(?:times|cdot)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\(?:left|right)(?=[()])", ""),
        (r"\\[dt]?frac\{([0-9]{1,40})\}\{([0-9]{1,40})\}", r"(\1/\2)"),
        (r"\^\{([0-9]{1,2})\}", r"^\1"),
        (r"\\([$%])", r"\1"),
        (r"(?<!\\)\\[()\[\]]", " "),
        (r"(?<=[0-9)])²(?= ?[-+*/×÷=)])", "^2"),
        (r"(?<=[0-9)])³(?= ?[-+*/×÷=)])", "^3"),
        (r"（([0-9.]{1,40}(?: ?[+*/×÷−–-] ?[0-9.]{1,40}){1,9})）", r"(\1)"),
        (
            r"(?<![-–+*/0-9.])(?<![-–+*/] )([0-9]{1,9}(?:\.[0-9]{1,9})?)% of "
            r"(?=[$€£¥]?[0-9]{1,3}(?:,?[0-9]{3}){0,9}(?:\.[0-9]{1,2})? ?=)",
            r"\1/100*",
        ),
    )
)
"""Typeset formulas, and their form in plain signs. `20% of 80 =` becomes `20/100*80`; `20% of 80 + 5` is ambiguous.
A small 2 at an end may be a footnote mark."""
_RUN = re.compile(r"[0-9$€£¥.,()+*/^×÷−–=\- \t]+")
_TIMES = re.compile(r"(?<=[0-9)])(?!(?<=\b0)x)( ?)[x×](?= ?[$(0-9])")
_MARK = re.compile(r"[ \t]*(?:(?P<sign>[-*•–])|\(?(?:[0-9]{1,3}|[a-z])[.)])[ \t]+(?=[$€£¥(.0-9])", re.IGNORECASE)
_GOES_ON = re.compile(r"[-0-9+*/×÷−–=(][ \t]*\Z")
"""The end of a line after which a calculation may continue."""
_SENTENCE = re.compile(r"[.,]+(?=\s|$)")
_CURRENCY = re.compile(r"[$€£¥]")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_NUMBER = r"(?:(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?|\.[0-9]{1,40})"
_POWER = r"(?:\^[0-9]{1,2}(?![\^]))?"
_TERM = rf"\(*-?{_NUMBER}{_POWER}(?:\){_POWER})*"
_SIDE = re.compile(rf"{_TERM}(?: ?[-+*/] ?{_TERM})*")
_UNSURE_POWER = re.compile(r"(?:^|[-+*/(] ?)-[0-9.]+\^|\^[0-9]+ ?/")
"""Ambiguous powers: `-2^2` may mean 4, and `9^1/2` may mean 3."""
_TWICE_DIVIDED = re.compile(rf"/ ?-?{_NUMBER} ?/")
"""`3 / 1/4` may mean a third of something, or 12."""
_THREE_PLACES = re.compile(r"(?<![0-9.])[1-9][0-9]{0,2}\.[0-9]{3}(?![0-9])")
"""`1.500`, where the point may separate thousands."""
_SIGNS = "-+*/="
_EQUALITY = re.compile(r"(?<![=<>!])=(?=\s{0,3}[-$€£¥(.]{0,2}[0-9])(?!=)|(?<=[0-9)])\s?=(?!=)")
_GROUP = re.compile(r"\s[0-9]{3}(?![0-9])")
_OPERATION = re.compile(r"[0-9)] ?[-+*/^]")
_LEADING = re.compile(
    r"(?:\b(?:of|times|plus|minus|over|by|per|than|squared|cubed|root|log|sin|cos|tan|mod|to|from|percent|less|more|x)"
    r"|[0-9] and|[的乘除加减比×第]"
    r"|\b(?:day|week|month|year|hour|page|room|chapter|problem|question|exercise|step|level|figure|table|line|lesson|part"
    r"|number|no\.|grade|class|unit|round|game|test|box|row|column|team|group|case|equation|bus|floor|house|section)s?)\s*\Z",
    re.IGNORECASE,
)
_SCALE = re.compile(
    r"\s*(?:hundred|thousand|million|billion|dozen|tens?\b|ones\b|pairs?\b|percent|cents?|k\b|[百千万亿角分%]"
    r"|\(?mod|modulo|in (?:bin|base|hex|oct)|and\s+[$€£¥]?[0-9]+/)",
    re.IGNORECASE,
)
_LETTER = r"(?![\u4e00-\u9fff])[\w^%!°²³\\]"
_TOUCHING_BEFORE, _TOUCHING_BEHIND = re.compile(rf"(?:{_LETTER}|[0-9][:．])\Z"), re.compile(rf"{_LETTER}|[:．][0-9]")
_FACTOR = re.compile(r"(?:[√∛∑∏∫π}]|\\[a-zA-Z]+)[ \t]*\Z")
"""Before a number or a bracket: a factor of it, or a function applied to it."""
_VARIABLE = re.compile(r"(?<![^\W_])[^\W\d_\u4e00-\u9fff][ \t]*\Z")
"""The same, but only before a bracket, because `a` before a number is a word."""


def worked_steps(text: str) -> tuple[str, ...]:
    """The calculations of a text in order, in canonical printing, at most `MAX_STEPS`."""
    text, steps = _TIMES.sub(r"\1*", _without_marks(_plain(text))), list[str]()
    for run in _RUN.finditer(text):
        if "=" in run[0] and len(steps) < MAX_STEPS:
            before, behind = text[max(0, run.start() - _AROUND) : run.start()], text[run.end() : run.end() + _AROUND]
            steps += islice(_steps(run[0], before, behind), MAX_STEPS - len(steps))
    return tuple(steps)


def count_equalities(text: str) -> int:
    """Estimate the number of calculations in a text: count the signs `=` before or after a number."""
    return len(_EQUALITY.findall(_plain(text)))


def _plain(text: str) -> str:
    """Replace typeset signs by plain ones."""
    text = text.translate(_WIDE)
    for pattern, plain in _TYPESET:
        text = pattern.sub(plain, text)
    return text


def _without_marks(text: str) -> str:
    """Remove list markers: `- `, `1. `, `b) `. A sign counts as a marker if no calculation can continue there."""
    lines, before, marked = list[str](), "", False
    for line in text.split("\n"):
        mark = _MARK.match(line)
        marked = mark is not None and (not mark["sign"] or marked or not _GOES_ON.search(before[-_AROUND:]))
        lines.append(line[mark.end() :] if mark and marked else line)
        before = line
    return "\n".join(lines)


def _steps(run: str, before: str, behind: str) -> Iterator[str]:
    """The steps in a run of digits and signs. before, behind: some characters around it."""
    parts = _SENTENCE.split(run)
    for number, part in enumerate(parts):
        sides: list[str | None] = [_side(side) for side in part.split("=")]
        first = before if number == 0 else parts[number - 1].rstrip(" \t")[-1:]
        if first and _belongs_before(part, first):
            sides[0] = None
        if number == len(parts) - 1 and _belongs_behind(part, behind):
            sides[-1] = None
        for left, right in pairwise(sides):
            if left is None or right is None or (_THREE_PLACES.search(left) and _THREE_PLACES.search(right)):
                continue
            if _OPERATION.search(left):
                yield calculation_step(f"{left}={right}")
            elif len(sides) == 2 and _OPERATION.search(right):
                yield calculation_step(f"{right}={left}")


def _belongs_before(part: str, before: str) -> bool:
    """Whether a run continues the text before it."""
    if part.lstrip()[:1] in ("-", "−", "–"):  # continues a word, as in `pears - 3 = 5`
        return not before.endswith("\n")
    if before[-1].isdigit() and _GROUP.match(part):  # continues a number, as in `14, 400 / 80 = 180`
        return True
    first = part.lstrip(" \t")[:1]
    if (first.isdigit() or first in (".", "(")) and _FACTOR.search(before):
        return True
    if first == "(" and _VARIABLE.search(before):
        return True
    touches = not part[:1].isspace() and _TOUCHING_BEFORE.search(before) is not None
    return touches or before[-1] in _SIGNS or _LEADING.search(before) is not None


def _belongs_behind(part: str, behind: str) -> bool:
    """Whether the text after a run belongs to its last number."""
    touches = not part[-1:].isspace() and _TOUCHING_BEHIND.match(behind) is not None
    return touches or _SCALE.match(behind) is not None


def _side(side: str) -> str | None:
    """A side of a calculation in plain signs; None if it is not one."""
    if len(side) > _MAX_SIDE:
        return None
    side = (
        _THOUSANDS.sub("", _CURRENCY.sub("", side))
        .replace("÷", "/")
        .replace("×", "*")
        .replace("−", "-")
        .replace("–", "-")
    )
    side = re.sub(r" (?=\))|(?<=\() ", "", " ".join(side.split()))
    if _TWICE_DIVIDED.search(side) or _UNSURE_POWER.search(side):
        return None
    depth = 0
    for sign in side:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return None
    return side if depth == 0 and _SIDE.fullmatch(side) else None
