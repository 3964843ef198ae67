"""The bodies of requests for answers: the fields of OpenAI's API that have an effect here, and the budget.

A field that is not named here is refused, for it would be ignored; so is a value that cannot be honoured. What a body
asks of the engine is worked out in `tuili.serve.engine_requests`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from tuili.engine import MAX_ATTEMPTS, MAX_DEADLINE_MS, MAX_LAYER_STEPS, MAX_LOGPROBS
from tuili.serve.schemas.fields import (
    MAX_CHOICES,
    MAX_MESSAGES,
    WHOLE_NUMBER,
    DepthField,
    Effort,
    FalseOnly,
    Metadata,
    Name,
    OneOnly,
    Probability,
    Question,
    Seed,
    StopTexts,
    StrictModel,
    TokenLimit,
    ZeroOnly,
)
from tuili.serve.schemas.formats import ChatSchema, JsonObject, Text, TextFormat
from tuili.serve.schemas.messages import InputItem, Message
from tuili.serve.schemas.rules import all_of, at_most_one, one_fits, requires_true


class OwnBudget(StrictModel):
    """Limits of this request; see `tuili.engine.Budget`."""

    max_steps: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS), WHOLE_NUMBER] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS), WHOLE_NUMBER] | None = None
    error_tolerance: Probability | None = None
    deadline_ms: Annotated[float, Field(gt=0, le=MAX_DEADLINE_MS)] | None = None
    max_layer_steps: Annotated[int, Field(ge=1, le=MAX_LAYER_STEPS), WHOLE_NUMBER] | None = None


class StreamOptions(StrictModel):
    """Whether a last chunk tells the usage, and whether each tells it so far, as some load generators want; padding
    against guesses by length is not done.
    """

    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_obfuscation: FalseOnly = False


class GenerationRequest(StrictModel):
    """The fields that all requests for answers share."""

    model: Name
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 by default: promises are about the likeliest answer."""
    top_p: Probability | None = None
    top_k: Annotated[int, Field(ge=0), WHOLE_NUMBER] | None = None
    seed: Seed = None
    stream: bool | None = None
    user: Name | None = None
    metadata: Metadata | None = None
    store: FalseOnly | None = None
    service_tier: Literal["auto", "default"] | None = None
    budget: OwnBudget = OwnBudget()
    depth: DepthField = "auto"
    priority: Annotated[int, Field(ge=-100, le=100), WHOLE_NUMBER] = 0


class ChatRequest(GenerationRequest):
    """`POST /v1/chat/completions`."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            requires_true("top_logprobs", "logprobs"),
            one_fits("response_format", {"properties": {"type": {"const": "text"}}}, "logprobs", {"const": False}),
            requires_true("stream_options", "stream"),
            at_most_one("max_tokens", "max_completion_tokens"),
        )
    )

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    reasoning_effort: Effort | None = None
    max_tokens: TokenLimit = None
    max_completion_tokens: TokenLimit = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE_NUMBER] | None = None
    stop: StopTexts = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS), WHOLE_NUMBER] | None = None
    response_format: Annotated[Text | JsonObject | ChatSchema, Field(discriminator="type")] | None = None
    frequency_penalty: ZeroOnly | None = None
    presence_penalty: ZeroOnly | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> ChatRequest:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens is the old name of max_completion_tokens: give one of them")
        _check_stream_options(self.stream_options, self.stream)
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs is for logprobs: true")
        if self.logprobs and not isinstance(self.response_format, Text | None):
            raise ValueError("logprobs are of answers as they are written: use them with text")
        return self


class CompletionRequest(GenerationRequest):
    """`POST /v1/completions`: each prompt is one question."""

    model_config = ConfigDict(json_schema_extra=all_of(requires_true("stream_options", "stream")))

    prompt: Question | Annotated[list[Question], Field(min_length=1, max_length=MAX_CHOICES)]
    max_tokens: TokenLimit = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE_NUMBER] | None = None
    stop: StopTexts = None
    stream_options: StreamOptions | None = None
    echo: FalseOnly | None = None
    best_of: OneOnly | None = None
    frequency_penalty: ZeroOnly | None = None
    presence_penalty: ZeroOnly | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> CompletionRequest:
        _check_stream_options(self.stream_options, self.stream)
        return self


class Reasoning(StrictModel):
    """How much a response may reason."""

    effort: Effort | None = None


class ResponsesRequest(GenerationRequest):
    """`POST /v1/responses`, without state: earlier messages come with each request."""

    input: Question | Annotated[list[InputItem], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: str | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: TokenLimit = None
    text: TextFormat | None = None
    truncation: Literal["disabled"] | None = None
    background: FalseOnly | None = None


def _check_stream_options(options: StreamOptions | None, stream: bool | None) -> None:
    if options is not None and not stream:
        raise ValueError("stream_options is for stream: true")
