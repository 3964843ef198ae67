"""A request: a prompt, how to sample, and a budget that no answer exceeds.

Budgets and sampling settings are validated here, prompts in `prompt`, and what depends on the model at admission. The
scheduler enforces the limits on tokens, layer-steps and time; the controller enforces those on attempts and tolerated
error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from tuili.errors import InputError
from tuili.steps import CalculatorMode, Context

if TYPE_CHECKING:
    from tuili.grammars import Grammar

Depth = int | Literal["auto", "exact"]
"""Layers for every token; `auto`: as many as each token needs; `exact`: full depth, with drafts from the trunk."""

MAX_ATTEMPTS, MAX_TOKENS, MAX_LAYER_STEPS = 64, 1_000_000, 10**9
MAX_DEADLINE_MS = 86_400_000.0
MAX_STOP_TEXTS, MAX_STOP_CHARACTERS, MAX_LOGPROBS = 16, 200, 20
MAX_LOGIT_BIAS = 100.0

StopText = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
TokenId = Annotated[int, Field(ge=0)]
Bias = Annotated[float, Field(ge=-MAX_LOGIT_BIAS, le=MAX_LOGIT_BIAS)]
Settings = TypeVar("Settings", bound=BaseModel)


def _as_pairs(values: Any) -> Any:
    """Pairs sorted by id, from a mapping or from pairs; the last pair of an id counts."""
    pairs = values.items() if isinstance(values, Mapping) else values
    try:
        return tuple(sorted(dict(pairs).items()))
    except (TypeError, ValueError):
        return values


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Budget(_Settings):
    """What one request may spend over all its attempts.

    max_steps: reasoning attempts; `max_attempts` is accepted as an alias, and rejected if both are given and differ.
    error_tolerance: the largest share of wrong answers among those given with this budget; without it nothing is
    promised. deadline_ms: wall-clock milliseconds from admission. max_tokens: decoded tokens. max_layer_steps: layers
    times decoded tokens, including rejected drafts.
    """

    max_steps: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = 1
    error_tolerance: Annotated[float, Field(gt=0, le=1)] | None = None
    deadline_ms: Annotated[float, Field(gt=0, le=MAX_DEADLINE_MS)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] = 400
    max_layer_steps: Annotated[int, Field(ge=1, le=MAX_LAYER_STEPS)] | None = None

    if TYPE_CHECKING:  # what `_rename_attempts` accepts

        def __init__(
            self,
            *,
            max_steps: int = ...,
            max_attempts: int = ...,
            error_tolerance: float | None = ...,
            deadline_ms: float | None = ...,
            max_tokens: int = ...,
            max_layer_steps: int | None = ...,
        ) -> None: ...

    @property
    def max_attempts(self) -> int:
        """Alias of `max_steps`."""
        return self.max_steps

    @model_validator(mode="before")
    @classmethod
    def _rename_attempts(cls, values: Any) -> Any:
        """Accept `max_attempts` for `max_steps`."""
        if not isinstance(values, Mapping) or "max_attempts" not in values:
            return values
        rest = {name: value for name, value in values.items() if name != "max_attempts"}
        attempts = values["max_attempts"]
        steps = rest.setdefault("max_steps", attempts)
        if steps != attempts:
            names = {"max_steps": steps, "max_attempts": attempts}
            raise PydanticCustomError("same_limit", "max_steps and max_attempts are the same limit and differ", names)
        return rest


class Sampling(_Settings):
    """How tokens are sampled. The same seed, prompt and settings give the same tokens.

    temperature: 0 takes the likeliest token. top_p, top_k: sample among the likeliest tokens that make up this
    probability, and among this many (0: all). stop: texts at which the response ends, also inside steps; they are not
    part of the response. logit_bias: added to the logits of tokens, by id: -100 bans a token, 100 makes it the only
    choice. logprobs: report for each token of the answer its log-probability and those of this many likeliest tokens,
    before biases and temperature. prompt_logprobs: the same for each token of the prompt, at full depth.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    stop: Annotated[tuple[StopText, ...], Field(max_length=MAX_STOP_TEXTS, strict=False)] = ()
    logit_bias: Annotated[tuple[tuple[TokenId, Bias], ...], Field(strict=False), BeforeValidator(_as_pairs)] = ()
    logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    prompt_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None


@dataclass(frozen=True)
class Ignored:
    """Messages of a conversation that were not given to the model, because it was trained on single questions.

    system: number of instructions, whatever their role is called. earlier: number of all others, such as earlier
    questions and answers.
    """

    system: int = 0
    earlier: int = 0


@dataclass(frozen=True)
class Request:
    """One question. `depth` and `sampling` apply to the first attempt; later attempts may go deeper and vary.

    context: what the checker may take for granted; by default, what the prompt and the questions before it state.
    """

    prompt: str
    budget: Budget = field(default_factory=Budget)
    sampling: Sampling = field(default_factory=Sampling)
    depth: Depth = "auto"
    priority: int = 0
    """Requests of higher priority start first."""
    context: Context = field(default_factory=Context)
    earlier: tuple[tuple[str, str], ...] = ()
    """Earlier questions and answers of the conversation. Nothing is promised about a request that has any."""
    ignored: Ignored = field(default_factory=Ignored)
    """What was left out of the conversation. Nothing is promised if that is more than instructions."""
    prompt_ids: tuple[int, ...] | None = None
    """The prompt as token ids, instead of its text; see `tuili.engine.prompt`."""
    messages: tuple[Mapping[str, Any], ...] = ()
    """The whole conversation as passed to the chat template of an imported model, including the last question: `role`,
    `content` and whatever else the template knows. If empty, it receives the prompt and the turns before it."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Functions, as JSON schemas, that are passed to the chat template of an imported model."""
    thinks: bool = True
    """Whether an imported model that can think before it answers should do so. Its chat template must support that."""
    continues: bool = False
    """Whether an imported model should continue the text of the prompt as if it had written it itself."""
    writes: bool = True
    """Whether an answer is wanted; otherwise only the log-probabilities of the prompt are computed."""
    calculator: CalculatorMode | None = None
    """Whether the checker writes values into the steps, instead of the model or in place of its wrong values. None
    means as the model was taught; the engine fills it in."""
    grammar: Grammar | None = None
    """The form of the answer that follows the thinking. Nothing is promised about a request that has one."""
    client: str = ""
    """Who asks, if there are several clients: a name that the caller vouches for. Each client has its own alarms."""
    read_as: str | None = None
    """What the model and the checker receive instead of the prompt; None for the prompt itself. The engine sets it: it
    reads the prompt, and likewise earlier questions, by `tuili.steps.read_as`. Prompts of token ids, and prompts whose
    log-probabilities are requested, are taken as they are."""

    @property
    def question(self) -> str:
        """The text of the prompt that the model and the checker receive."""
        return self.prompt if self.read_as is None else self.read_as


def parse_settings(kind: type[Settings], values: Mapping[str, Any], named: Callable[[str], str]) -> Settings:
    """A `Budget` or `Sampling` from plain values.

    Args:
        named: maps a field to the name that the caller's users know it by.
    Raises `InputError`, in one line, for an unknown name or a value out of range; it says which, and what is valid.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "same_limit":
            steps, attempts = first["ctx"]["max_steps"], first["ctx"]["max_attempts"]
            other = f"{named('max_steps')} = {steps}"
            raise InputError(f"{named('max_attempts')} = {attempts}: {other} is the same limit: give one") from None
        field = str(first["loc"][0])
        key = named("max_attempts" if field == "max_steps" and field not in values else field)
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise InputError(f"{key}: unknown; known here: {known}") from None
        remedy = first["msg"].removeprefix("Input ")
        raise InputError(f"{key} = {str(first['input'])[:60]}: {remedy}") from None
