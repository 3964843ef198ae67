"""Strict scoring: the whole answer or nothing, compared by type and never by substring.

Only the answer counts here; whether the steps before it hold is left to `tuili.steps.check_chain`.
"""

from __future__ import annotations

import re

from tuili.steps import Status, check
from tuili.steps.response import THINK, split_response
from tuili.tasks.problem import Problem

_NUMBER = r"-?\d{1,40}(?:\.\d{1,40}|/\d{1,40})?"
_UNIT = r"[A-Za-z][A-Za-z0-9*/^()-]{0,40}"
_AMOUNT = re.compile(rf"{_NUMBER}(?:%| {_UNIT})?", re.ASCII)


def score(problem: Problem, response: str) -> float:
    """1.0 if the response gives exactly the problem's answer, else 0.0. Never raises.

    `response` is a full response `<think>…</think>answer` or a bare answer. Numbers, fractions and decimals
    are equal by exact value, quantities by value and dimension, everything else as text with case ignored.
    """
    return float(same_answer(problem.answer, _answer(response)))


def same_answer(expected: str, given: str) -> bool:
    """Whether `given` is the same whole answer as `expected` under the rules of `score`."""
    if expected == given:
        return True
    if _AMOUNT.fullmatch(expected):
        return bool(_AMOUNT.fullmatch(given)) and check(f"{expected} = {given}").status is Status.VALID
    return given.isascii() and expected.lower() == given.lower()


def _answer(response: str) -> str:
    """The answer of a bare or complete response; one that never closes its think block answers nothing."""
    parts = split_response(response)
    return parts.answer if parts.complete or THINK not in response else ""
