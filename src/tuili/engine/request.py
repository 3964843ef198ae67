"""What may be asked of the engine: a prompt, how to sample, and a budget that no answer may overrun.

Budgets and ways of sampling are checked here, the prompt in `prompt`, and what only the model knows on admission. How a
budget is kept is left to `scheduler` (tokens, layers, time) and `controller` (attempts, tolerated error).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuili.errors import InputError
from tuili.steps import Context

Depth = int | Literal["auto", "exact"]
"""Layers for every token; or as many as each needs; or drafts of the trunk that the full depth has verified."""

MOST_STEPS, MOST_TOKENS, MOST_LAYER_STEPS = 64, 1_000_000, 10**9
LONGEST_MS = 86_400_000.0
MOST_STOPS, LONGEST_STOP, MOST_LOGPROBS = 16, 200, 20

StopText = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]
Part = TypeVar("Part", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Budget(_Part):
    """What one request may spend, in all its attempts together.

    max_steps: attempts at the answer. error_tolerance: largest share of wrong answers among those that are given with
    this budget; without it no promise is made. deadline_ms: wall-clock milliseconds from admission. max_tokens: tokens
    written. max_layer_steps: layers times tokens written, drafts that were not taken among them.
    """

    max_steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = 1
    error_tolerance: Annotated[float, Field(gt=0, le=1)] | None = None
    deadline_ms: Annotated[float, Field(gt=0, le=LONGEST_MS)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] = 400
    max_layer_steps: Annotated[int, Field(ge=1, le=MOST_LAYER_STEPS)] | None = None


class Sampling(_Part):
    """How tokens are drawn: the likeliest at temperature 0, else by probability among the `top_k` likeliest (0: all)
    that make up `top_p`. The same seed, prompt and settings give the same tokens. `stop`: texts at which to end, steps
    included; what comes from there on is left out. `logprobs`: tell of each token of the answer its log-probability and
    those of so many likeliest ones, before temperature.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    stop: Annotated[tuple[StopText, ...], Field(max_length=MOST_STOPS, strict=False)] = ()
    logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS)] | None = None


@dataclass(frozen=True)
class Request:
    """One question. `depth` and `sampling` are those of the first attempt; later ones may go deeper and vary.

    `context` has what the checker may take for granted: labelled facts of the prompt, by default.
    """

    prompt: str
    budget: Budget = field(default_factory=Budget)
    sampling: Sampling = field(default_factory=Sampling)
    depth: Depth = "auto"
    priority: int = 0
    """Higher ones are begun first."""
    context: Context = field(default_factory=Context)
    earlier: tuple[tuple[str, str], ...] = ()
    """Questions and answers of the conversation before this one. Nothing is promised about what follows some."""


def parse(part: type[Part], values: Mapping[str, Any], named: Callable[[str], str]) -> Part:
    """A budget or a way of sampling from plain values; `named` says how the caller knows a value by its name here.

    Raises `InputError`, in one line, for an unknown name or a value that cannot be: which one, and what would be right.
    """
    try:
        return part.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = named(str(first["loc"][0]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(part.model_fields)
            raise InputError(f"{key}: unknown; known here: {known}") from None
        remedy = first["msg"].removeprefix("Input ")
        raise InputError(f"{key} = {str(first['input'])[:60]}: {remedy}") from None
