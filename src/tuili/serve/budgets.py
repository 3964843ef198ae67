"""What a request over HTTP may spend: `reasoning_effort` names a budget, `budget` changes single limits of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tuili.engine import Budget, parse_settings

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]

EFFORTS: Mapping[str, Mapping[str, int]] = {
    "none": {"max_steps": 1, "max_tokens": 100},
    "minimal": {"max_steps": 1, "max_tokens": 100},
    "low": {"max_steps": 1, "max_tokens": 200},
    "medium": {"max_steps": 2, "max_tokens": 400},
    "high": {"max_steps": 4, "max_tokens": 800},
    "xhigh": {"max_steps": 8, "max_tokens": 1600},
}
"""Attempts, and tokens of all of them together. `none` reasons, too: a model of steps knows no other way."""
DEFAULT: Effort = "medium"


def budget_of(effort: Effort | None, max_tokens: int | None, own: Mapping[str, Any]) -> Budget:
    """The budget of an effort with what a request says itself: `own`, and before it `max_tokens`.

    Raises `InputError` naming the field and what would be right.
    """
    values: dict[str, Any] = dict(EFFORTS[effort or DEFAULT])
    if max_tokens is not None:
        values["max_tokens"] = max_tokens
    return parse_settings(Budget, values | {name: value for name, value in own.items() if value is not None}, _named)


def _named(name: str) -> str:
    return "max_completion_tokens" if name == "max_tokens" else f"budget.{name}"
