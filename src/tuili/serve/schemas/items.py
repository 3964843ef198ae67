"""What `POST /v1/responses` sends, as types: the response with its items and their parts. The events of its stream are
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
    """The steps, one a line."""

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
    """The item of the steps."""

    id: str
    type: Literal["reasoning"]
    summary: EmptyList
    content: list[ReasoningPart]
    status: Progress


class MessageItem(TypedDict):
    """The item of the answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: Progress
    content: list[MessagePart]


class FunctionCallItem(TypedDict):
    """The item of an answer that is the call of a function."""

    id: str
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    status: Progress


OutputItem = Annotated[ReasoningItem | MessageItem | FunctionCallItem, Field(discriminator="type")]


class InputDetails(TypedDict):
    """`cached_tokens` had been read before, for another request. None are written for a fee."""

    cached_tokens: Count
    cache_write_tokens: Literal[0]


class OutputDetails(TypedDict):
    """Of the tokens that were written those before the answer, in all attempts."""

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
    """Why a response is incomplete: tokens, layers or time were spent."""

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
    """Answers are JSON of a schema."""

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
    """A function of the request."""

    type: Literal["function"]
    name: str
    description: str | None
    parameters: dict[str, Any] | None
    strict: bool | None


@documented_as("ChosenTool")
class ToolChoiceReply(TypedDict):
    """The function that was to be called."""

    type: Literal["function"]
    name: str


@documented_as("Response")
class ResponseReply(TypedDict):
    """A response; `receipt` is there when it is answered."""

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
