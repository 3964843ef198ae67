"""Efforts: named budgets, as in `reasoning_effort` of OpenAI's API. The engine checks the limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
EFFORT_BUDGETS: Mapping[Effort, Mapping[str, int]] = {
    "none": {"max_steps": 1, "max_tokens": 100},
    "minimal": {"max_steps": 1, "max_tokens": 100},
    "low": {"max_steps": 1, "max_tokens": 200},
    "medium": {"max_steps": 2, "max_tokens": 400},
    "high": {"max_steps": 4, "max_tokens": 800},
    "xhigh": {"max_steps": 8, "max_tokens": 1600},
}
"""Reasoning attempts, and tokens of all attempts together. With `none`, a model of steps still reasons, because it
answers only by steps; an imported model skips its thinking if its template supports that."""


def effort_limits(effort: Effort, given: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of an effort's budget. Values in `given` that are not None replace single limits."""
    limits: dict[str, Any] = dict(EFFORT_BUDGETS[effort])
    replacing = {name: value for name, value in given.items() if value is not None}
    if "max_attempts" in replacing:  # another name of max_steps
        del limits["max_steps"]
    return limits | replacing
