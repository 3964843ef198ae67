"""Reads GSM8K: its calculations `<<48/2=24>>` become checked steps, its last line `#### 72` becomes the answer.

Also accepted are an answer that is only a number, as in lists of questions without solutions, and lines with a separate
list of `steps`.

The format: Cobbe et al., "Training Verifiers to Solve Math Word Problems", 2021 (arXiv:2110.14168).
"""

from __future__ import annotations

import re
from dataclasses import replace

from tuili.data.readers.own import read_own
from tuili.data.readers.read_question import (
    DOMAIN,
    ImportOutcome,
    Place,
    ReadQuestion,
    bare_number,
    fault_of,
    level_of,
    number_of,
    text_of,
    word_problem,
)
from tuili.data.records import record_of
from tuili.errors import RecordError
from tuili.steps import check_chain, parse, render

EXAMPLE = '{"question": "…", "answer": "… #### 72"}'
STEPS_EXAMPLE = '{"question": "…", "answer": "72", "steps": ["48 + 24 = 72"]}'
_CALCULATION = re.compile(r"<<((?:(?!<<|>>).)*)>>")
_ANSWER = re.compile(r"^#### *(.+)$", re.MULTILINE)
_SPELLING = (
    (re.compile(r"(?<![0-9])\.(?=[0-9])"), "0."),  # .5
    (re.compile(r"(?<=[0-9])\.(?![0-9])"), ""),  # 5.
    (re.compile(r"(^|[-+*/=(])\+"), r"\1"),  # a sign that changes nothing
    (re.compile(r"//|[-+*/=()]"), r" \g<0> "),
)


def read_gsm8k(place: Place, fields: dict[str, object]) -> ReadQuestion:
    """Read a line of GSM8K. Raises `RecordError` for a line that is not in the format."""
    question, solution = (text_of(place, fields, key, EXAMPLE) for key in ("question", "answer"))
    ends = _ANSWER.findall(solution)
    answer = bare_number((ends[-1] if ends else solution).strip())
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


def read_with_steps(place: Place, fields: dict[str, object]) -> ReadQuestion:
    """Read a line that has a list of steps in addition to question and answer: a record with other field names.

    Raises `RecordError` for a line that is not such a record.
    """
    question, solution = (text_of(place, fields, key, STEPS_EXAMPLE) for key in ("question", "answer"))
    ends = _ANSWER.findall(solution)
    steps = fields["steps"]
    told: dict[str, object] = {"domain": DOMAIN, "level": level_of(len(steps) if isinstance(steps, list) else 0)}
    others = {key: value for key, value in fields.items() if key not in ("question", "answer")}
    record = record_of(
        place.path,
        place.line,
        told | others | {"input": question, "output": bare_number((ends[-1] if ends else solution).strip())},
    )
    return read_own(place.line, record)


def _outcome(steps: tuple[str, ...], answer: str) -> ImportOutcome:
    verdicts = check_chain(steps)
    if fault := fault_of(steps, verdicts):
        return fault
    results = (number_of(str(verdict.witness.get("value"))) for verdict in verdicts)
    return ImportOutcome.CHECKED if number_of(answer) in results else ImportOutcome.NO_RESULT


def calculation_step(calculation: str) -> str:
    """Print a calculation in canonical form: `48/2=24` becomes `48 / 2 = 24`, `.5*8=4` becomes `0.5 * 8 = 4`."""
    for pattern, replacement in _SPELLING:
        calculation = pattern.sub(replacement, calculation)
    return render(parse(calculation))
