"""What clients may send: the fields of OpenAI's API that mean something here, and the budget.

A field that is not named here is refused, for it would be ignored; so is a value that cannot be honoured.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.config import JsonDict

from tuili.engine import (
    MAX_ATTEMPTS,
    MAX_DEADLINE_MS,
    MAX_LAYER_STEPS,
    MAX_STOP_CHARACTERS,
    MAX_STOP_TEXTS,
    MAX_TOKENS,
    Request,
    Sampling,
    parse_settings,
)
from tuili.serve.budgets import Effort

MOST_CHOICES, MOST_MESSAGES, MOST_PARTS, MOST_LOGPROBS = 16, 256, 64, 20
LONGEST_NAME = 256


def _boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("Input should be false")
    return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _writable(value: object) -> object:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise ValueError("it has a number or a text that cannot be written as JSON") from None
    return value


WHOLE = BeforeValidator(_whole)
"""JSON has one kind of numbers: 2.0 is whole."""
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
StopText = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
Stops = StopText | Annotated[list[StopText], Field(max_length=MAX_STOP_TEXTS)] | None
Seed = Annotated[int, Field(ge=0, le=2**63 - 1), WHOLE] | None
Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS), WHOLE] | None
Question = Annotated[str, Field(json_schema_extra={"pattern": r"\S"})]
"""The engine refuses an empty one, by a code of its own."""
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
Depth = Annotated[int, WHOLE] | Literal["auto", "exact"]
Share = Annotated[float, Field(gt=0, le=1)]
Nothing = Annotated[float, Field(ge=0, le=0)]
One = Annotated[int, Field(ge=1, le=1), WHOLE]
No = Annotated[Literal[False], BeforeValidator(_boolean)]
"""Python takes 0 for it, JSON does not."""


class Part(BaseModel):
    """Unknown fields are refused, and so is a value of another type than JSON's own: 0 is not false."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def rules(*all_of: JsonDict) -> JsonDict:
    """What holds between the fields of a request, for the OpenAPI document; the validators say the same."""
    return {"allOf": list(all_of)}


def only_with(field: str, switch: str) -> JsonDict:
    """A field that says nothing unless another is true."""
    return {
        "anyOf": [
            {"properties": {field: {"type": "null"}}},
            {"properties": {switch: {"const": True}}, "required": [switch]},
        ]
    }


def not_both(*fields: str) -> JsonDict:
    """At most one of two fields is given."""
    return {"anyOf": [{"properties": {field: {"type": "null"}}} for field in fields]}


def all_null(*fields: str) -> JsonDict:
    """None of some fields is given."""
    return {"properties": {field: {"type": "null"} for field in fields}}


def null_or(field: str, schema: JsonDict, other: str, its: JsonDict) -> JsonDict:
    """One of two fields is null, or as its schema says."""
    null: JsonDict = {"type": "null"}
    return {
        "anyOf": [{"properties": {field: {"anyOf": [null, schema]}}}, {"properties": {other: {"anyOf": [null, its]}}}]
    }


def given(*fields: str) -> JsonDict:
    """At least one of some fields, all of them texts, is given."""
    return {"anyOf": [{"properties": {field: {"type": "string"}}, "required": [field]} for field in fields]}


class OwnBudget(Part):
    """Limits of this request; see `tuili.engine.request.Budget`."""

    max_steps: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS), WHOLE] | None = None
    error_tolerance: Share | None = None
    deadline_ms: Annotated[float, Field(gt=0, le=MAX_DEADLINE_MS)] | None = None
    max_layer_steps: Annotated[int, Field(ge=1, le=MAX_LAYER_STEPS), WHOLE] | None = None


Empty = Annotated[list[Any], Field(max_length=0)]


class TextPart(Part):
    """A piece of a message. Text alone is understood."""

    type: Literal["text", "input_text", "output_text"] = "text"
    text: str
    annotations: Empty | None = None
    logprobs: Empty | None = None


class RefusalPart(Part):
    """In place of an answer: why there was none."""

    type: Literal["refusal"]
    refusal: str


OF_ANSWERS = ("refusal", "reasoning", "reasoning_content")
"""What only the assistant's messages have."""


class Message(Part):
    """One message of a conversation. What this server answers can be sent back as it is: the steps of earlier answers
    (`reasoning`) are not read again.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "anyOf": [
                    {"properties": {"content": {"type": ["string", "array"]}}, "required": ["content"]},
                    {"properties": {"refusal": {"type": "string"}}, "required": ["refusal"]},
                ]
            },
            {"anyOf": [{"properties": {"role": {"const": "assistant"}}}, all_null(*OF_ANSWERS)]},
        )
    )

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart | RefusalPart], Field(min_length=1, max_length=MOST_PARTS)] | None = None
    name: Name | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Message:
        if self.content is None and self.refusal is None:
            raise ValueError("content is missing")
        if self.role != "assistant" and any(getattr(self, name) is not None for name in OF_ANSWERS):
            raise ValueError("refusal and reasoning are of the assistant")
        return self

    @property
    def text(self) -> str:
        """What it says."""
        if self.content is None:
            return self.refusal or ""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text if isinstance(part, TextPart) else part.refusal for part in self.content)


class MessageInput(Message):
    """A message among the items of a response."""

    type: Literal["message"] = "message"
    id: Name | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class ReasoningInput(Part):
    """The steps of an earlier response, which are not read again."""

    type: Literal["reasoning"]
    id: Name | None = None
    summary: Annotated[list[Any], Field(max_length=MOST_PARTS)] = []
    content: Annotated[list[Any], Field(max_length=MOST_PARTS)] | None = None
    encrypted_content: None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


def _kind_of_item(value: object) -> str:
    told = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "reasoning" if told == "reasoning" else "message"


Item = Annotated[
    Annotated[MessageInput, Tag("message")] | Annotated[ReasoningInput, Tag("reasoning")], Discriminator(_kind_of_item)
]


class StreamOptions(Part):
    """Whether a last chunk tells the usage, and whether each tells it so far, as some load generators want; padding
    against guesses by length is not done.
    """

    include_usage: bool = False
    continuous_usage_stats: bool = False
    include_obfuscation: No = False


class Text(Part):
    """Answers are text."""

    type: Literal["text"]


class JsonObject(Part):
    """Answers are JSON with the properties `steps` and `answer`."""

    type: Literal["json_object"]


class Schema(Part):
    """A JSON schema of an object that an answer and its steps can fill; see `tuili.serve.schemas.structured`."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    body: Annotated[dict[str, Any], BeforeValidator(_writable), Field(alias="schema")]
    strict: bool | None = None


class ChatSchema(Part):
    """Answers are JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: Schema


class ItemSchema(Schema):
    """The same for `/v1/responses`, which has it in one piece."""

    type: Literal["json_schema"]


class Asked(Part):
    """What all kinds of requests share."""

    model: Name
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """0 by default, at which answers can be promised."""
    top_p: Share | None = None
    top_k: Annotated[int, Field(ge=0), WHOLE] | None = None
    seed: Seed = None
    stream: bool | None = None
    user: Name | None = None
    metadata: Metadata | None = None
    store: No | None = None
    service_tier: Literal["auto", "default"] | None = None
    budget: OwnBudget = OwnBudget()
    depth: Depth = "auto"
    priority: Annotated[int, Field(ge=-100, le=100), WHOLE] = 0


class ChatRequest(Asked):
    """`POST /v1/chat/completions`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            only_with("top_logprobs", "logprobs"),
            null_or("response_format", {"properties": {"type": {"const": "text"}}}, "logprobs", {"const": False}),
            only_with("stream_options", "stream"),
            not_both("max_tokens", "max_completion_tokens"),
        )
    )

    messages: Annotated[list[Message], Field(min_length=1, max_length=MOST_MESSAGES)]
    reasoning_effort: Effort | None = None
    max_tokens: Tokens = None
    max_completion_tokens: Tokens = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES), WHOLE] | None = None
    stop: Stops = None
    stream_options: StreamOptions | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LOGPROBS), WHOLE] | None = None
    response_format: Annotated[Text | JsonObject | ChatSchema, Field(discriminator="type")] | None = None
    frequency_penalty: Nothing | None = None
    presence_penalty: Nothing | None = None

    @model_validator(mode="after")
    def _fits(self) -> ChatRequest:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens is the old name of max_completion_tokens: give one of them")
        _check_options(self.stream_options, self.stream)
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs is for logprobs: true")
        if self.logprobs and not isinstance(self.response_format, Text | None):
            raise ValueError("logprobs are of answers as they are written: use them with text")
        if self.messages[-1].role != "user":
            raise ValueError("messages: the last one must be of the user")
        return self


class CompletionRequest(Asked):
    """`POST /v1/completions`: each prompt is one question."""

    model_config = ConfigDict(json_schema_extra=rules(only_with("stream_options", "stream")))

    prompt: Question | Annotated[list[Question], Field(min_length=1, max_length=MOST_CHOICES)]
    max_tokens: Tokens = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES), WHOLE] | None = None
    stop: Stops = None
    stream_options: StreamOptions | None = None
    echo: No | None = None
    best_of: One | None = None
    frequency_penalty: Nothing | None = None
    presence_penalty: Nothing | None = None

    @model_validator(mode="after")
    def _fits(self) -> CompletionRequest:
        _check_options(self.stream_options, self.stream)
        return self


class Reasoning(Part):
    """How much a response may reason."""

    effort: Effort | None = None


class TextFormat(Part):
    """What answers look like."""

    format: Annotated[Text | JsonObject | ItemSchema, Field(discriminator="type")] = Text(type="text")


class ResponsesRequest(Asked):
    """`POST /v1/responses`, without state: earlier messages come with each request."""

    input: Question | Annotated[list[Item], Field(min_length=1, max_length=MOST_MESSAGES)]
    instructions: str | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: Tokens = None
    text: TextFormat | None = None
    truncation: Literal["disabled"] | None = None
    background: No | None = None


def _check_options(options: StreamOptions | None, stream: bool | None) -> None:
    if options is not None and not stream:
        raise ValueError("stream_options is for stream: true")


def sampling(body: Asked, stop: Stops) -> Sampling:
    """How tokens are drawn."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    values = {"temperature": body.temperature, "top_p": body.top_p, "top_k": body.top_k, "seed": body.seed}
    if isinstance(body, ChatRequest) and body.logprobs:
        values["logprobs"] = body.top_logprobs or 0
    return parse_settings(Sampling, {key: own for key, own in values.items() if own is not None} | {"stop": stops}, str)


def seeds(request: Request, count: int) -> list[Request]:
    """The same request so many times, with seeds that count up from its own."""
    drawn = request.sampling
    return [
        replace(request, sampling=drawn.model_copy(update={"seed": (drawn.seed + number) % 2**63}))
        for number in range(count)
    ]
