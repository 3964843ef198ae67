"""Calculations that a text writes out, as steps: `48/2 = 24 clips` becomes `48 / 2 = 24`.

A calculation is taken only where nothing around it can belong to it: no letter, power or percent sign touches it, and
no word such as `half of` stands before it. What is right is left to the checker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from tuili.data.readers.gsm8k import calculation_step

MAX_STEPS = 64
"""Calculations of one text that are taken."""
_MAX_SIDE, _AROUND = 200, 12
"""Characters of a side, and of what is looked at before and behind a calculation."""
_RUN = re.compile(r"[0-9$€£¥.,()+*/×÷−–=\- \t]+")
_TIMES = re.compile(r"(?<=[0-9)])( ?)[x×](?= ?[$(0-9])")
_SENTENCE = re.compile(r"[.,]+(?=\s|$)")
_CURRENCY = re.compile(r"[$€£¥]")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_NUMBER = r"(?:(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?|\.[0-9]{1,40})"
_SIDE = re.compile(rf"\(*-?{_NUMBER}\)*(?: ?[-+*/] ?\(*-?{_NUMBER}\)*)*")
_SPACED, _FRACTION = re.compile(r"[-+*/] "), re.compile(r"(?<![0-9.)/])(?<![0-9)] /)[0-9]+/[0-9]+(?=$| |\))")
"""In `3 / 1/4 = 12` the operator with a space holds the others apart, so that those without are of a fraction."""
_SIGNS = "-+*/="
_GROUP = re.compile(r"\s[0-9]{3}(?![0-9])")
_OPERATION = re.compile(r"[0-9)] ?[-+*/]")
_LEADING = re.compile(
    r"(?:\b(?:of|times|plus|minus|over|by|per|than|squared|cubed|root|log|sin|cos|tan|mod|to|from|percent|less|more|x)"
    r"|[0-9] and|[的乘除加减比×])\s*$",
    re.IGNORECASE,
)
_SCALE = re.compile(r"\s*(?:hundred|thousand|million|billion|dozen|percent|cents?|k\b|[百千万亿角分%])", re.IGNORECASE)
_LETTER = r"(?![\u4e00-\u9fff])[\w^%!°²³\\]"
_TOUCHING_BEFORE, _TOUCHING_BEHIND = re.compile(rf"(?:{_LETTER}|[0-9]:)$"), re.compile(rf"{_LETTER}|:[0-9]")


def worked_steps(text: str) -> tuple[str, ...]:
    """The calculations of a text in order, in canonical printing, `MAX_STEPS` at most."""
    text, steps = _TIMES.sub(r"\1*", text), list[str]()
    for run in _RUN.finditer(text):
        if "=" in run[0] and len(steps) < MAX_STEPS:
            before, behind = text[max(0, run.start() - _AROUND) : run.start()], text[run.end() : run.end() + _AROUND]
            steps += islice(_steps(run[0], before, behind), MAX_STEPS - len(steps))
    return tuple(steps)


def _steps(run: str, before: str, behind: str) -> Iterator[str]:
    """Those of a run of digits and signs. before, behind: some characters around it."""
    parts = _SENTENCE.split(run)
    for number, part in enumerate(parts):
        sides: list[str | None] = [_side(side) for side in part.split("=")]
        first = before if number == 0 else parts[number - 1].rstrip(" \t")[-1:]
        if first and _belongs_before(part, first):
            sides[0] = None
        if number == len(parts) - 1 and _belongs_behind(part, behind):
            sides[-1] = None
        for left, right in pairwise(sides):
            if left is None or right is None:
                continue
            if _OPERATION.search(left):
                yield calculation_step(f"{left}={right}")
            elif len(sides) == 2 and _OPERATION.search(right):
                yield calculation_step(f"{right}={left}")


def _belongs_before(part: str, before: str) -> bool:
    """Whether a run goes on with what stands before it."""
    if part.lstrip()[:1] in ("-", "−", "–"):  # of a word before it, as in `pears - 3 = 5`
        return not before.endswith("\n")
    if before[-1].isdigit() and _GROUP.match(part):  # of a number before it, as in `14, 400 / 80 = 180`
        return True
    touches = not part[:1].isspace() and _TOUCHING_BEFORE.search(before) is not None
    return touches or before[-1] in _SIGNS or _LEADING.search(before) is not None


def _belongs_behind(part: str, behind: str) -> bool:
    """Whether what stands behind a run belongs to its last number."""
    touches = not part[-1:].isspace() and _TOUCHING_BEHIND.match(behind) is not None
    return touches or _SCALE.match(behind) is not None


def _side(side: str) -> str | None:
    """A side of a calculation in plain signs; None for what is none."""
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
    if _SPACED.search(side):
        side = _FRACTION.sub(r"(\g<0>)", side)
    depth = 0
    for sign in side:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return None
    return side if depth == 0 and _SIDE.fullmatch(side) else None
