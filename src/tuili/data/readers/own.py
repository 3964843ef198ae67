"""Reads records, Tuili's own form: a record keeps its steps if all of them check, else only question and answer.

`records` defines a record.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import NamedTuple

from tuili.data.readers.read_question import ImportOutcome, ReadQuestion, fault_of
from tuili.data.records import Record
from tuili.steps import (
    Claim,
    Context,
    Verdict,
    check_chain,
    parse,
    read_turns,
    render,
    render_term,
    split_response,
    terms,
)

EXAMPLE = '{"input": "…", "output": "…"}'
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)])-)?(?:(?P<whole>[0-9]{1,40})[ ](?P<share>[0-9]{1,40}/0{0,39}[1-9][0-9]{0,39})(?![0-9])"
    r"|(?P<plain>(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}(?![0-9,])|[0-9]{1,40}|(?<![0-9])(?=\.[0-9]))"
    r"(?:\.[0-9]{1,40}|/0{0,39}[1-9][0-9]{0,39})?))"
)
"""A number with its sign: a mixed number such as `1 1/2`, a decimal or a fraction."""


def read_own(line: int, record: Record) -> ReadQuestion:
    """Read a record with a bare answer, and with its steps if all of them are valid.

    Calculations get the spaces of canonical printing, `3 * 4 = 12` for `3*4=12`.
    If all steps are calculations, one must give the answer, unless the answer has no number or is a program. Otherwise,
    if the answer begins with a number, that number must appear in a step: other answers, such as `yes`, follow from
    steps in ways that only their domain knows.
    """
    response = split_response(record.response)
    steps = tuple(response.steps)
    verdicts = check_chain(steps, Context.from_prompt(*read_turns(*record.turns))) if steps else []
    outcome, read = fault_of(steps, verdicts), tuple(map(_calculation, steps, verdicts))
    if outcome is None:
        calculations = [one for one in read if one is not None]
        results = frozenset[Fraction]().union(*(one.results for one in calculations))
        calculated = len(calculations) == len(steps) and record.specification is None
        given = gives(response.answer, results) if calculated else stands_in(response.answer, steps)
        outcome = ImportOutcome.CHECKED if given else ImportOutcome.NO_RESULT
    kept = tuple(one.text if one else step for one, step in zip(read, steps, strict=True))
    bare = {"output": response.answer, "steps": kept if outcome is ImportOutcome.CHECKED else ()}
    return ReadQuestion(line, record.model_copy(update=bare), outcome, steps=steps)


class _Calculation(NamedTuple):
    """A step that gives a number.

    text: the step with the spaces of canonical printing. results: its value, and the number that it ends with: 15 in
    `15%`.
    """

    text: str
    results: frozenset[Fraction]


def _calculation(step: str, verdict: Verdict) -> _Calculation | None:
    """Read a step as a calculation: its only relation is `=`, and it ends with a number. None for any other step."""
    match parse(step) if "value" in verdict.witness else None:
        case Claim(relation=terms.Compare(rest=rest)) as claim if all(sign == "=" for sign, _ in rest):
            if not _is_number(last := rest[-1][1]):
                return None
            written = map(leading_number, (str(verdict.witness["value"]), render_term(last)))
            text = render(claim)
            spaced = text if text.replace(" ", "") == step.replace(" ", "") else step
            return _Calculation(spaced, frozenset(number for number in written if number is not None))
    return None


def _is_number(term: terms.Term) -> bool:
    """Whether a term is written as one number, with or without a sign or a unit."""
    if isinstance(term, terms.Unary) and term.op in "-%":
        return _is_number(term.operand)
    return isinstance(term, terms.Number | terms.Ratio | terms.Measure)


def gives(answer: str, results: Collection[Fraction]) -> bool:
    """Whether the number at the start of an answer is one of `results`; without one there, whether any number in the
    answer is. True for an answer without numbers."""
    given = leading_number(answer)
    told = numbers_in(answer) if given is None else {given}
    return not told or not told.isdisjoint(results)


def stands_in(answer: str, steps: Iterable[str]) -> bool:
    """Whether the number at the start of an answer appears in a step; true for an answer that begins with none."""
    given = leading_number(answer)
    return given is None or any(given in numbers_in(step) for step in steps)


def leading_number(text: str) -> Fraction | None:
    """The number at the start of a text, which may follow a currency sign; None if the text begins with none."""
    given = _NUMBER.match(re.sub("[$€£] ?", "", text, count=1))
    return None if given is None else _value(given)


def numbers_in(text: str) -> set[Fraction]:
    """The numbers in a text that are written in digits. A mixed number, `1 1/2`, counts as one."""
    return {_value(given) for given in _NUMBER.finditer(text)}


def _value(given: re.Match[str]) -> Fraction:
    if given["plain"] is None:
        value = Fraction(given["whole"]) + Fraction(given["share"])
    else:
        value = Fraction(given["plain"].replace(",", ""))
    return -value if given["sign"] else value
