"""The bodies of requests for answers: the fields of OpenAI's API that have an effect here, and the budget.

A field that is neither here nor in `without_effect` is refused, because it would be ignored. So is a value that cannot
be honoured. `tuili.serve.engine_requests` converts a body for the engine.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from tuili.engine import MAX_ATTEMPTS, MAX_DEADLINE_MS, MAX_LAYER_STEPS, MAX_LOGPROBS, MAX_TOKENS
from tuili.serve.efforts import Effort
from tuili.serve.schemas.fields import (
    MAX_CHOICES,
    MAX_MESSAGES,
    WHOLE_NUMBER,
    DepthField,
    FalseOnly,
    LogitBias,
    Name,
    Probability,
    Question,
    Seed,
    StopTexts,
    StrictModel,
    TokenIds,
    TokenLimit,
)
from tuili.serve.schemas.formats import ChatSchema, JsonObject, Text, TextFormat
from tuili.serve.schemas.messages import ChatInput, InputItem
from tuili.serve.schemas.rules import all_of, at_most_one, one_fits, requires_true, zero_only_with
from tuili.serve.schemas.tools import ChatToolChoice, ChatTools, ItemToolChoice, ItemTools, ToolMode
from tuili.serve.schemas.without_effect import (
    ChatWithoutEffect,
    CompletionWithoutEffect,
    NullOnly,
    ResponsesWithoutEffect,
    WithoutEffect,
)
from tuili.steps import CalculatorMode

MAX_COMPLETION_LOGPROBS = 5
"""OpenAI's limit."""


class OwnBudget(StrictModel):
    """Limits of this request; see `tuili.engine.Budget`."""

    model_config = ConfigDict(frozen=True)  # without it pydantic copies the default for each request

    max_steps: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS), WHOLE_NUMBER] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS), WHOLE_NUMBER] | None = None
    error_tolerance: Probability | None = None
    deadline_ms: Annotated[float, Field(gt=0, le=MAX_DEADLINE_MS)] | None = None
    max_layer_steps: Annotated[int, Field(ge=1, le=MAX_LAYER_STEPS), WHOLE_NUMBER] | None = None


class StreamOptions(StrictModel):
    """Whether the last chunk reports the usage, and whether other chunks report the usage so far, which some load
    generators need. Padding against guesses by length is not supported.
    """

    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None
    include_obfuscation: FalseOnly | None = None


class GenerationRequest(WithoutEffect):
    """The fields that all requests for answers share."""

    model: Name
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 by default: promises are about the likeliest answer."""
    top_p: Probability | None = None
    top_k: Annotated[int, Field(ge=0), WHOLE_NUMBER] | None = None
    seed: Seed = None
    stream: bool | None = None
    budget: OwnBudget = OwnBudget()
    depth: DepthField = "auto"
    calculator: CalculatorMode | None = None
    """By default, as in the model's training."""
    priority: Annotated[int, Field(ge=-100, le=100), WHOLE_NUMBER] = 0


class ChatRequest(ChatWithoutEffect, GenerationRequest):
    """`POST /v1/chat/completions`."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            requires_true("top_logprobs", "logprobs"),
            one_fits("response_format", {"properties": {"type": {"const": "text"}}}, "logprobs", {"const": False}),
            requires_true("stream_options", "stream"),
            at_most_one("max_tokens", "max_completion_tokens"),
        )
    )

    messages: Annotated[list[ChatInput], Field(min_length=1, max_length=MAX_MESSAGES)]
    reasoning_effort: Effort | None = None
    max_tokens: TokenLimit = None
    max_completion_tokens: TokenLimit = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE_NUMBER] | None = None
    stop: StopTexts = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS), WHOLE_NUMBER] | None = None
    logit_bias: LogitBias | None = None
    response_format: Annotated[Text | JsonObject | ChatSchema, Field(discriminator="type")] | None = None
    tools: ChatTools = None
    tool_choice: ToolMode | ChatToolChoice | None = None
    parallel_tool_calls: bool | None = None

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


class CompletionRequest(CompletionWithoutEffect, GenerationRequest):
    """`POST /v1/completions`: each prompt is one question."""

    model_config = ConfigDict(
        json_schema_extra=all_of(requires_true("stream_options", "stream"), zero_only_with("max_tokens", "echo"))
    )

    prompt: (
        Question
        | Annotated[list[Question], Field(min_length=1, max_length=MAX_CHOICES)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_CHOICES)]
    )
    max_tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS), WHOLE_NUMBER] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=MAX_COMPLETION_LOGPROBS), WHOLE_NUMBER] | None = None
    logit_bias: LogitBias | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE_NUMBER] | None = None
    stop: StopTexts = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> CompletionRequest:
        _check_stream_options(self.stream_options, self.stream)
        if self.max_tokens == 0 and not self.echo:
            raise ValueError("max_tokens = 0 is for echo: true")
        return self


class ResponsesStreamOptions(StrictModel):
    """Padding is not supported. The last event always reports the usage."""

    include_obfuscation: FalseOnly | None = None


class Reasoning(StrictModel):
    """How much a response may reason. There are no summaries, and earlier turns' steps are not read again."""

    effort: Effort | None = None
    summary: NullOnly = None
    generate_summary: NullOnly = None
    context: Literal["auto", "current_turn"] | None = None
    mode: Literal["standard"] | None = None


class ResponsesRequest(ResponsesWithoutEffect, GenerationRequest):
    """`POST /v1/responses`, without state: earlier messages come with each request."""

    model_config = ConfigDict(json_schema_extra=all_of(requires_true("stream_options", "stream")))

    input: Question | Annotated[list[InputItem], Field(min_length=1, max_length=MAX_MESSAGES)]
    instructions: str | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: TokenLimit = None
    text: TextFormat | None = None
    stream_options: ResponsesStreamOptions | None = None
    tools: ItemTools = None
    tool_choice: ToolMode | ItemToolChoice | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> ResponsesRequest:
        _check_stream_options(self.stream_options, self.stream)
        return self


def _check_stream_options(options: StrictModel | None, stream: bool | None) -> None:
    if options is not None and not stream:
        raise ValueError("stream_options is for stream: true")
