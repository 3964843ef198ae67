"""Removes written working from steps, for other means of calculation: a calculator needs no partial products."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tuili.tasks.building.working import exact_division, grid_multiplication, long_division, long_multiplication

_OPERATION = re.compile(r"(?<![0-9.])(\d{1,12})(?:(?: [^-+*/=<>0-9\s]\S*)? ([*/]|mod) (?=(\d{1,12})(?![0-9.])))")
"""A product, quotient or remainder of whole numbers; units between them are skipped."""
_DIVISION = re.compile(r"(\d{1,12}) = (\d{1,12}) \* \d{1,12} \+ \d{1,12}")


def without_working(steps: Sequence[str]) -> tuple[str, ...]:
    """The steps without the lines that `working` puts before a calculation to break it into elementary ones.

    `("20 * 5 = 100", "6 * 5 = 30", "100 + 30 = 130", "Nia = 26 * 5 = 130")` → `("Nia = 26 * 5 = 130",)`. The remaining
    steps stay valid: no line takes its facts only from such working.
    """
    kept: list[str] = []
    for step in steps:
        while True:
            before = next((lines for lines in _workings(step) if lines and kept[-len(lines) :] == lines), None)
            if before is None:
                break
            del kept[-len(before) :]
        kept.append(step)
    return tuple(kept)


def _workings(step: str) -> Iterator[list[str]]:
    """The lines that may precede a step as its working."""
    for found in _OPERATION.finditer(step):
        a, b = int(found[1]), int(found[3])
        if found[2] == "*" and a and b:
            for one, other in ((a, b), (b, a)):
                yield grid_multiplication(one, other)
                yield long_multiplication(one, other)
        elif b:
            yield long_division(a, b)
            if found[2] == "/" and a % b == 0:
                yield exact_division(a, b)
    if whole := _DIVISION.fullmatch(step):
        lines = long_division(int(whole[1]), int(whole[2]))
        yield lines if lines != [step] else []
