"""Turns a question with an answer and steps into a record, if the checker refutes none of the steps.

`rows` and `problems` find the questions; `route` decides what becomes of their documents.
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
"""The minimum words of a question that is a word problem and not a bare calculation."""
MAX_SHOWN = 200
"""The maximum characters of a text in a drop."""
SHORT_ANSWER = 5
"""The maximum words of the answer to a question without calculations."""
WORD = re.compile(r"[^\W\d_]{2,}|[\u4e00-\u9fff]")
_OF_KIND = {
    "propositional": "propositional", "boolean": "propositional", "categorical": "syllogism", "linear": "equations",
    "polynomial": "equations", "date": "calendar", "trace": "tracing", "universal": "proofs", "proof": "proofs",
}  # fmt: skip
"""The domain of the steps that each theory of the checker decides."""


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

    fields: the known fields of its record. steps: the steps written out in its solution, if that is not a record.
    equation: the solution in another notation, which the steps cover completely. value: its result, which must be the
    answer; None if it divides by zero. equalities: the apparent number of calculations in its words; steps has those
    that could be read.
    """

    fields: dict[str, Any]
    steps: tuple[str, ...] = ()
    equation: str = ""
    value: Fraction | None = None
    equalities: int = 0


class Extracted(NamedTuple):
    """The outcome of a question: a record, or a reason with the measured values.

    steps: the number of its steps. decided: the number of steps that the checker decides.
    """

    record: Record | None
    reason: Reason | None = None
    measured: Mapping[str, float | str] = MappingProxyType({})
    steps: int = 0
    decided: int = 0


def can_be_checked(question: str, answer: str, steps: Sequence[str]) -> bool:
    """Whether a checker can handle a question in words: it has calculations, or a known domain and a short answer.
    Other questions, as in a list of frequently asked questions, are left out."""
    return bool(steps) or (len(WORD.findall(answer)) <= SHORT_ANSWER and domain_of(question) is not None)


def extract_record(question: Question, not_derived: bool = False) -> Extracted:
    """The record of a question. not_derived: whether to accept valid steps that do not give the answer."""
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
    """The first reason against a chain, with the step and what is right. answer: empty if it is a program."""
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
    """The fault if an equation gives another number than the answer."""
    if question.value == leading_number(answer):
        return None, {}
    step = f"{question.equation} = {answer}"
    if question.value is None:
        return Reason.REFUTED, _told(step, "nothing, for it divides by zero")
    rounded = rounds_to(answer, question.value)
    return Reason.ROUNDED if rounded else Reason.REFUTED, _told(step, spell(question.value))


def _reached(question: Question, steps: Sequence[str], verdicts: Sequence[Verdict]) -> set[Fraction]:
    """The numbers that steps give: the values of valid calculations, and all numbers in steps of another kind or in
    undecided ones. For a record, whose steps are of any kind, the numbers in every step."""
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
    """The number that a calculation gives; None for another kind of step."""
    try:
        return Fraction(str(verdict.witness.get("value")))
    except (ValueError, ZeroDivisionError):
        return None


def _guessed(fields: dict[str, Any], record: Record, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The domain and the level of a record, if they are not given."""
    guessed = {"domain": _domain(record, verdicts), "level": max(LEVELS[0], min(len(verdicts), LEVELS[-1]))}
    return {key: value for key, value in guessed.items() if key not in fields}


def _domain(record: Record, verdicts: Sequence[Verdict]) -> str:
    """The domain from the words of the question, else from the theory that decides its steps; if a question in words
    has a number as its answer, it is a word problem."""
    if domain := domain_of(record.input):
        return domain
    kinds = [_OF_KIND[verdict.kind] for verdict in verdicts if verdict.kind in _OF_KIND]
    if kinds:
        return max(BUILT_IN_DOMAINS, key=kinds.count)
    if leading_number(split_response(record.response).answer) is not None:
        return DOMAIN if len(WORD.findall(record.input)) >= LEAST_WORDS else "arithmetic"
    return "own"
