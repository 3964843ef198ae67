"""Reads GSM8K: its calculations `<<48/2=24>>` become checked steps, its last line `#### 72` becomes the answer.

An answer that is a number alone is taken as well, as in lists of questions without solutions.

The format: Cobbe et al., "Training Verifiers to Solve Math Word Problems", 2021 (arXiv:2110.14168).
"""

from __future__ import annotations

import re
from dataclasses import replace

from tuili.data.readers.read_question import (
    ImportOutcome,
    Place,
    ReadQuestion,
    fault_of,
    number_of,
    text_of,
    without_commas,
    word_problem,
)
from tuili.errors import RecordError
from tuili.steps import check_chain, parse, render

EXAMPLE = '{"question": "…", "answer": "… #### 72"}'
_CALCULATION = re.compile(r"<<((?:(?!<<|>>).)*)>>")
_ANSWER = re.compile(r"^#### *(.+)$", re.MULTILINE)
_SPELLING = (
    (re.compile(r"(?<![0-9])\.(?=[0-9])"), "0."),  # .5
    (re.compile(r"(?<=[0-9])\.(?![0-9])"), ""),  # 5.
    (re.compile(r"(^|[-+*/=(])\+"), r"\1"),  # a sign that changes nothing
    (re.compile(r"//|[-+*/=()]"), r" \g<0> "),
)


def read_gsm8k(place: Place, fields: dict[str, object]) -> ReadQuestion:
    """A line of GSM8K. Raises `RecordError` for one that is not in the format."""
    question, solution = (text_of(place, fields, key, EXAMPLE) for key in ("question", "answer"))
    ends = _ANSWER.findall(solution)
    answer = without_commas((ends[-1] if ends else solution).strip())
    if number_of(answer) is None:
        if not ends:
            raise RecordError(
                f"{place}: the answer is no number and has no last line #### NUMBER: write {EXAMPLE}, or a number alone"
            )
        raise RecordError(
            f"{place}: the answer after #### is {answer[:50]!r}: it must be a number of at most 40 digits"
        )
    steps = tuple(map(calculation_step, filter(str.strip, _CALCULATION.findall(solution))))
    read = word_problem(place, "gsm8k", "gsm8k", question, answer, steps, _outcome(steps, answer))
    return replace(read, prose=_CALCULATION.sub("", solution)) if ends else read


def _outcome(steps: tuple[str, ...], answer: str) -> ImportOutcome:
    verdicts = check_chain(steps)
    if fault := fault_of(steps, verdicts):
        return fault
    results = (number_of(str(verdict.witness.get("value"))) for verdict in verdicts)
    return ImportOutcome.CHECKED if number_of(answer) in results else ImportOutcome.NO_RESULT


def calculation_step(calculation: str) -> str:
    """A calculation in canonical printing: `48/2=24` becomes `48 / 2 = 24`, `.5*8=4` becomes `0.5 * 8 = 4`."""
    for pattern, replacement in _SPELLING:
        calculation = pattern.sub(replacement, calculation)
    return render(parse(calculation))
