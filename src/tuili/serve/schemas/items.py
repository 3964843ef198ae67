"""Types of what `POST /v1/responses` sends: the response with its items and their parts. The events of its stream are
in `item_events`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from tuili.serve.efforts import Effort
from tuili.serve.schemas.fields import Count, EmptyList, UnixSeconds, documented_as
from tuili.serve.schemas.receipts import ReceiptReply


class ReasoningPart(TypedDict):
    """The steps, one per line."""

    type: Literal["reasoning_text"]
    text: str


class OutputText(TypedDict):
    """The answer."""

    type: Literal["output_text"]
    text: str
    annotations: EmptyList
    logprobs: EmptyList


class Refusal(TypedDict):
    """Why there is no answer."""

    type: Literal["refusal"]
    refusal: str


ContentPart = Annotated[ReasoningPart | OutputText | Refusal, Field(discriminator="type")]
MessagePart = Annotated[OutputText | Refusal, Field(discriminator="type")]
Progress = Literal["in_progress", "completed", "incomplete"]


class ReasoningItem(TypedDict):
    """The item with the steps."""

    id: str
    type: Literal["reasoning"]
    summary: EmptyList
    content: list[ReasoningPart]
    status: Progress


class MessageItem(TypedDict):
    """The item with the answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: Progress
    content: list[MessagePart]


class FunctionCallItem(TypedDict):
    """The item with an answer that is a function call."""

    id: str
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    status: Progress


OutputItem = Annotated[ReasoningItem | MessageItem | FunctionCallItem, Field(discriminator="type")]


class InputDetails(TypedDict):
    """`cached_tokens` were already read for another request. Cache writes are not charged."""

    cached_tokens: Count
    cache_write_tokens: Literal[0]


class OutputDetails(TypedDict):
    """`reasoning_tokens` are the tokens written in all attempts, without those of the answer given."""

    reasoning_tokens: Count


class ItemUsage(TypedDict):
    """Tokens of a response."""

    input_tokens: Count
    input_tokens_details: InputDetails
    output_tokens: Count
    output_tokens_details: OutputDetails
    total_tokens: Count


class Failure(TypedDict):
    """Why a response failed."""

    code: Literal["server_error"]
    message: str


class Incomplete(TypedDict):
    """Why a response is incomplete: it reached the limit on tokens, layers, time, or the work for a grammar."""

    reason: Literal["max_output_tokens"]


@documented_as("Reasons")
class ReasoningReply(TypedDict):
    """The effort, which names a budget."""

    effort: Effort
    summary: None


class Format(TypedDict):
    """Answers are text, or JSON."""

    type: Literal["text", "json_object"]


class SchemaFormat(TypedDict):
    """Answers are JSON that fits a schema."""

    type: Literal["json_schema"]
    name: str
    description: str | None
    schema: dict[str, Any]
    strict: bool


class TextForm(TypedDict):
    """The form of answers."""

    format: Format | SchemaFormat
    verbosity: Literal["medium"]


@documented_as("OfferedTool")
class ToolReply(TypedDict):
    """A function offered in the request."""

    type: Literal["function"]
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


@documented_as("ChosenTool")
class ToolChoiceReply(TypedDict):
    """The function to call."""

    type: Literal["function"]
    name: str


@documented_as("Response")
class ResponseReply(TypedDict):
    """A response. It has a `receipt` once it is answered."""

    id: str
    object: Literal["response"]
    created_at: UnixSeconds
    completed_at: UnixSeconds | None
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    background: Literal[False]
    conversation: None
    error: Failure | None
    frequency_penalty: float
    incomplete_details: Incomplete | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    model: str
    output: list[OutputItem]
    parallel_tool_calls: bool
    presence_penalty: float
    previous_response_id: None
    prompt_cache_key: str | None
    reasoning: ReasoningReply
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: Literal[False]
    temperature: float
    text: TextForm
    tool_choice: Literal["none", "auto", "required"] | ToolChoiceReply
    tools: list[ToolReply]
    top_logprobs: Literal[0]
    top_p: float
    truncation: Literal["disabled"]
    usage: ItemUsage | None
    user: str | None
    receipt: NotRequired[ReceiptReply]
