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
    r"(?P<sign>(?<![\w)])-)?(?:(?P<whole>[0-9]{1,40})[ ](?P<share>[0-9]{1,40}/0{0,39}[1-9][0-9]{0,39})(?![0-9])"
    r"|(?P<plain>(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}(?![0-9,])|[0-9]{1,40}|(?<![0-9])(?=\.[0-9]))"
    r"(?:\.[0-9]{1,40}|/0{0,39}[1-9][0-9]{0,39})?))"
)
"""A number with its sign: a mixed one such as `1 1/2`, a decimal or a fraction."""


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
    given = leading_number(answer)
    return given is None or any(given in numbers_in(step) for step in steps)


def leading_number(text: str) -> Fraction | None:
    """The number that a text begins with, behind a sign of dollars; None where it begins with none."""
    given = _NUMBER.match(text.replace("$", "", 1))
    return None if given is None else _value(given)


def numbers_in(text: str) -> set[Fraction]:
    """The numbers in digits of a text. A mixed one, `1 1/2`, is one number."""
    return {_value(given) for given in _NUMBER.finditer(text)}


def _value(given: re.Match[str]) -> Fraction:
    if given["plain"] is None:
        value = Fraction(given["whole"]) + Fraction(given["share"])
    else:
        value = Fraction(given["plain"].replace(",", ""))
    return -value if given["sign"] else value
