"""Reads a common form of MAWPS and ASDiv-A: `question`, `answer`, and `equation` in prefix notation.

Each operation of the equation becomes a step; `prefix` computes the steps.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tuili.data.readers.prefix import Calculation, calculate, spell, spelled_numbers
from tuili.data.readers.read_question import (
    ImportOutcome,
    Place,
    ReadQuestion,
    bare_number,
    fault_of,
    near,
    number_of,
    text_of,
    word_problem,
)
from tuili.errors import InputError, RecordError
from tuili.steps import check_chain

EXAMPLE = '{"question": "…", "answer": "95", "equation": "- + 41 57 3"}'
ROUNDING = Fraction(1, 1000)
"""An answer that differs from the result of its equation by less than this share is that result, rounded."""


def read_mwp(place: Place, fields: dict[str, object]) -> ReadQuestion:
    """Read a line of this form. Raises `RecordError` for a line that is not in the form."""
    question, equation = (text_of(place, fields, key, EXAMPLE) for key in ("question", "equation"))
    written = bare_number(text_of(place, fields, "answer", EXAMPLE))
    right = number_of(written)
    if right is None:
        raise RecordError(f"{place}: answer is {written[:50]!r}: it must be a number of at most 40 digits")
    try:
        calculation = calculate(equation, spelled_numbers(question))
    except InputError as error:
        raise RecordError(f"{place}: equation {error}") from error
    if calculation and calculation.ends and near(calculation.value, right):
        right = calculation.value  # answers of this form are often computed in floating point
    steps = calculation.steps if calculation else ()
    read = word_problem(place, "mwp", place.path.stem, question, spell(right), steps, _outcome(calculation, right))
    return replace(read, value=calculation.value if calculation else None)


def _outcome(calculation: Calculation | None, right: Fraction) -> ImportOutcome:
    if calculation is None:
        return ImportOutcome.UNDECIDED
    if fault := fault_of(calculation.steps, check_chain(calculation.steps)):
        return fault
    if calculation.value == right:
        return ImportOutcome.CHECKED
    return ImportOutcome.ROUNDED if near(calculation.value, right, ROUNDING) else ImportOutcome.NO_RESULT
