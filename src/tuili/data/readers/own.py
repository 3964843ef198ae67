"""Reads records, our own form: a record whose steps all check keeps them, any other one has question and answer alone.

What a record is, is left to `records`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from tuili.data.readers.read_question import ImportOutcome, ReadQuestion, fault_of
from tuili.data.records import Record
from tuili.steps import Context, check_chain, read_turns, split_response

EXAMPLE = '{"input": "…", "output": "…"}'
_NUMBER = re.compile(
    r"(?:(?<![\w)])-)?(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}(?![0-9,])|[0-9]{1,40})(?:\.[0-9]{1,40}|/0{0,39}[1-9][0-9]{0,39})?"
)


def read_own(line: int, record: Record) -> ReadQuestion:
    """A record with a bare answer, and with its steps where all of them are valid.

    An answer that begins with a number must stand in a step. Others, such as `yes`, follow from steps in ways that only
    their domain knows.
    """
    response = split_response(record.response)
    steps = tuple(response.steps)
    verdicts = check_chain(steps, Context.from_prompt(*read_turns(*record.turns))) if steps else []
    outcome = fault_of(steps, verdicts)
    if outcome is None:
        outcome = ImportOutcome.CHECKED if stands_in(response.answer, steps) else ImportOutcome.NO_RESULT
    kept = steps if outcome is ImportOutcome.CHECKED else ()
    bare = record.model_copy(update={"output": response.answer, "steps": kept})
    return ReadQuestion(line, bare, outcome, steps=steps)


def stands_in(answer: str, steps: Iterable[str]) -> bool:
    """Whether the number that an answer begins with stands in a step; true of an answer that begins with none."""
    given = _NUMBER.match(answer.replace("$", "", 1))
    return given is None or _value(given[0]) in {_value(one) for step in steps for one in _NUMBER.findall(step)}


def _value(number: str) -> Fraction:
    return Fraction(number.replace(",", ""))
