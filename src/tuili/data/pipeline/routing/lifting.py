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
from tuili.data.readers.mwp import ROUNDING, near
from tuili.data.readers.own import stands_in
from tuili.data.readers.read_question import DOMAIN, is_rounded, without_commas
from tuili.data.records import Record, explain
from tuili.steps import Context, Status, Verdict, check_chain, read_turns, split_response
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS

LEAST_WORDS = 6
"""Words of a question that is told in words, and is no bare calculation."""
MAX_SHOWN = 200
"""Characters of what a drop tells."""
_NUMBER = re.compile(
    r"[$€£¥]?(-?(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}(?:\.[0-9]{1,40})?|[0-9]{1,40}(?:\.[0-9]{1,40}|/[1-9][0-9]{0,39})?))"
    r"(?![0-9/]|[.,][0-9])"
)
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
    UNREACHED = "unreached"
    MALFORMED = "malformed"
    NO_DOMAIN = "no_domain"


class Question(NamedTuple):
    """A question as it was found.

    fields: those of its record that are known. steps: what its solution writes out, where that is no record. equation:
    the solution in another notation, all of which the steps are: the last of them must give the answer.
    """

    fields: dict[str, Any]
    steps: tuple[str, ...] = ()
    equation: str = ""


class Lifted(NamedTuple):
    """What became of a question: a record, or a reason with what was measured.

    steps: how many it has. decided: how many of them the checker decides.
    """

    record: Record | None
    reason: Reason | None = None
    measured: Mapping[str, float | str] = MappingProxyType({})
    steps: int = 0
    decided: int = 0


def lift(question: Question, unreached: bool = False) -> Lifted:
    """The record of a question. unreached: whether it may have steps that all hold and do not give its answer."""
    steps = {"steps": question.steps} if question.steps else {}
    try:
        record = Record.model_validate(question.fields | steps)
    except ValidationError as error:
        return Lifted(None, Reason.MALFORMED, {"message": explain(error)[:MAX_SHOWN]})
    if fault := record.program_fault:
        return Lifted(None, Reason.REFUTED, {"step": record.output[:MAX_SHOWN], "right": fault[:MAX_SHOWN]})
    read = split_response(record.response)
    verdicts = check_chain(read.steps, Context.from_prompt(*read_turns(*record.turns))) if read.steps else []
    decided = sum(verdict.status in (Status.VALID, Status.INVALID) for verdict in verdicts)
    reason, measured = _fault(question, read.steps, verdicts, read.answer)
    if reason is Reason.UNREACHED and unreached:
        reason = None
    if reason is None:
        record = record.model_copy(update=_guessed(question.fields, record, verdicts))
    return Lifted(None if reason else record, reason, measured if reason else {}, len(read.steps), decided)


def _fault(
    question: Question, steps: Sequence[str], verdicts: Sequence[Verdict], answer: str
) -> tuple[Reason | None, dict[str, float | str]]:
    """The first reason against a chain, with the step and what is right."""
    for step, verdict in zip(steps, verdicts, strict=True):
        if verdict.status is Status.INVALID:
            reason = Reason.ROUNDED if is_rounded(step, verdict) else Reason.REFUTED
            return reason, _told(step, verdict.expected or verdict.reason)
    if not steps or any(verdict.status is not Status.VALID for verdict in verdicts):
        return None, {}
    found, values = _NUMBER.match(answer), [_value(verdict) for verdict in verdicts]
    if found is None:
        return None, {}
    right, last = Fraction(without_commas(found[1])), values[-1]
    if question.equation and last is not None:
        told = _told(f"{question.equation} = {answer}", steps[-1].rpartition("= ")[2])
        if last == right:
            return None, {}
        return (Reason.ROUNDED if near(last, right, ROUNDING) else Reason.REFUTED), told
    reached = right in values if question.steps else stands_in(answer, steps)
    return (None, {}) if reached else (Reason.UNREACHED, {"answer": answer[:MAX_SHOWN], "step": steps[-1][:MAX_SHOWN]})


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
    if _NUMBER.match(split_response(record.response).answer):
        return DOMAIN if len(WORD.findall(record.input)) >= LEAST_WORDS else "arithmetic"
    return "own"
