"""From a question with an answer and steps to a record, if the checker refutes none of the steps.

Where questions come from is left to `rows` and `problems`, what becomes of their documents to `route`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from tuili.data.pipeline.routing.domains import domain_of
from tuili.data.readers.own import leading_number, numbers_in
from tuili.data.readers.prefix import spell
from tuili.data.readers.read_question import DOMAIN, is_rounded, rounds_to
from tuili.data.records import Record, explain
from tuili.steps import Context, Status, Verdict, check_chain, read_turns, split_response
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS

LEAST_WORDS = 6
"""Words of a question that is told in words, and is no bare calculation."""
MAX_SHOWN = 200
"""Characters of what a drop tells."""
SHORT_ANSWER = 5
"""Words of an answer that a question without calculations may have, at most."""
WORD = re.compile(r"[^\W\d_]{2,}|[\u4e00-\u9fff]")
_OF_KIND = {
    "propositional": "propositional", "boolean": "propositional", "categorical": "syllogism", "linear": "equations",
    "polynomial": "equations", "date": "calendar", "trace": "tracing", "universal": "proofs", "proof": "proofs",
}  # fmt: skip
"""The domain of steps that a theory of the checker decides."""


class Reason(StrEnum):
    """Why the block `route` drops."""

    REFUTED = "refuted"
    ROUNDED = "rounded"
    NOT_DERIVED = "not_derived"
    UNREAD = "unread"
    MALFORMED = "malformed"
    NO_DOMAIN = "no_domain"
    LITTLE_LEFT = "little_left"


class Question(NamedTuple):
    """A question as it was found.

    fields: those of its record that are known. steps: what its solution writes out, where that is no record. equation:
    the solution in another notation, all of which the steps are. value: what it gives, which must be the answer; None
    where it divides by zero. equalities: how many calculations its words seem to have, of which steps are those that
    could be read.
    """

    fields: dict[str, Any]
    steps: tuple[str, ...] = ()
    equation: str = ""
    value: Fraction | None = None
    equalities: int = 0


class Extracted(NamedTuple):
    """What became of a question: a record, or a reason with what was measured.

    steps: how many it has. decided: how many of them the checker decides.
    """

    record: Record | None
    reason: Reason | None = None
    measured: Mapping[str, float | str] = MappingProxyType({})
    steps: int = 0
    decided: int = 0


def can_be_checked(question: str, answer: str, steps: Sequence[str]) -> bool:
    """Whether a question in words is one for a checker: one with calculations, or of a known domain with an answer in
    few words, and none of another kind, as in a list of frequent questions."""
    return bool(steps) or (len(WORD.findall(answer)) <= SHORT_ANSWER and domain_of(question) is not None)


def extract_record(question: Question, not_derived: bool = False) -> Extracted:
    """The record of a question. not_derived: whether it may have steps that all hold and do not give its answer."""
    steps = {"steps": question.steps} if question.steps else {}
    try:
        record = Record.model_validate(question.fields | steps)
    except ValidationError as error:
        return Extracted(None, Reason.MALFORMED, {"message": explain(error)[:MAX_SHOWN]})
    if fault := record.program_fault:
        return Extracted(None, Reason.REFUTED, {"step": record.output[:MAX_SHOWN], "right": fault[:MAX_SHOWN]})
    read = split_response(record.response)
    verdicts = check_chain(read.steps, Context.from_prompt(*read_turns(*record.turns))) if read.steps else []
    decided = sum(verdict.status in (Status.VALID, Status.INVALID) for verdict in verdicts)
    reason, measured = _fault(question, read.steps, verdicts, read.answer if record.specification is None else "")
    if reason is Reason.NOT_DERIVED and not_derived:
        reason = None
    if reason is None:
        record = record.model_copy(update=_guessed(question.fields, record, verdicts))
    return Extracted(None if reason else record, reason, measured if reason else {}, len(read.steps), decided)


def _fault(
    question: Question, steps: Sequence[str], verdicts: Sequence[Verdict], answer: str
) -> tuple[Reason | None, dict[str, float | str]]:
    """The first reason against a chain, with the step and what is right. answer: empty where it is a program."""
    for step, verdict in zip(steps, verdicts, strict=True):
        if verdict.status is Status.INVALID:
            reason = Reason.ROUNDED if is_rounded(step, verdict) else Reason.REFUTED
            return reason, _told(step, verdict.expected or verdict.reason)
    if question.equation:
        return _fault_of_equation(question, answer)
    given = numbers_in(answer)
    if not steps or not given or given & _reached(question, steps, verdicts):
        return None, {}
    return Reason.NOT_DERIVED, {"answer": answer[:MAX_SHOWN], "step": steps[-1][:MAX_SHOWN]}


def _fault_of_equation(question: Question, answer: str) -> tuple[Reason | None, dict[str, float | str]]:
    """Whether an equation gives another number than the answer."""
    if question.value == leading_number(answer):
        return None, {}
    step = f"{question.equation} = {answer}"
    if question.value is None:
        return Reason.REFUTED, _told(step, "nothing, for it divides by zero")
    rounded = rounds_to(answer, question.value)
    return Reason.ROUNDED if rounded else Reason.REFUTED, _told(step, spell(question.value))


def _reached(question: Question, steps: Sequence[str], verdicts: Sequence[Verdict]) -> set[Fraction]:
    """The numbers that steps give: their values, and all that stand in one of another kind, or one that is not decided.
    Of a record, whose steps are of any kind, those that stand in any."""
    reached = set[Fraction]()
    for step, verdict in zip(steps, verdicts, strict=True):
        value = _value(verdict)
        if question.steps and value is not None and verdict.status is Status.VALID:
            reached.add(value)
        else:
            reached |= numbers_in(step)
    return reached


def _told(step: str, right: str) -> dict[str, float | str]:
    return {"step": step[:MAX_SHOWN], "right": right[:MAX_SHOWN]}


def _value(verdict: Verdict) -> Fraction | None:
    """The number that a calculation gives; None for a step of another kind."""
    try:
        return Fraction(str(verdict.witness.get("value")))
    except (ValueError, ZeroDivisionError):
        return None


def _guessed(fields: dict[str, Any], record: Record, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The domain and the level of a record that does not tell them."""
    guessed = {"domain": _domain(record, verdicts), "level": max(LEVELS[0], min(len(verdicts), LEVELS[-1]))}
    return {key: value for key, value in guessed.items() if key not in fields}


def _domain(record: Record, verdicts: Sequence[Verdict]) -> str:
    """By the words of the question, else by what decides its steps; a number that is asked for in words is the answer
    of a word problem."""
    if domain := domain_of(record.input):
        return domain
    kinds = [_OF_KIND[verdict.kind] for verdict in verdicts if verdict.kind in _OF_KIND]
    if kinds:
        return max(BUILT_IN_DOMAINS, key=kinds.count)
    if leading_number(split_response(record.response).answer) is not None:
        return DOMAIN if len(WORD.findall(record.input)) >= LEAST_WORDS else "arithmetic"
    return "own"
