"""What `POST /v1/responses` sends, as types: the response, its items and parts, and the named events of its stream."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from tuili.serve.budgets import Effort
from tuili.serve.schemas.replies import Count, JudgedStep, Receipt

Empty = Annotated[list[Any], Field(max_length=0)]
"""What OpenAI's clients expect to be there, of which there is nothing here."""


class ReasoningPart(TypedDict):
    """The steps, one a line."""

    type: Literal["reasoning_text"]
    text: str


class OutputText(TypedDict):
    """The answer."""

    type: Literal["output_text"]
    text: str
    annotations: Empty
    logprobs: Empty


class Refusal(TypedDict):
    """Why there is no answer."""

    type: Literal["refusal"]
    refusal: str


Part = Annotated[ReasoningPart | OutputText | Refusal, Field(discriminator="type")]
Said = Annotated[OutputText | Refusal, Field(discriminator="type")]
Progress = Literal["in_progress", "completed", "incomplete"]


class ReasoningItem(TypedDict):
    """The item of the steps."""

    id: str
    type: Literal["reasoning"]
    summary: Empty
    content: list[ReasoningPart]
    status: Progress


class MessageItem(TypedDict):
    """The item of the answer."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    status: Progress
    content: list[Said]


Item = Annotated[ReasoningItem | MessageItem, Field(discriminator="type")]


class InputDetails(TypedDict):
    """`cached_tokens` had been read before, for another request."""

    cached_tokens: Count


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


class Reasons(TypedDict):
    """The effort, which names a budget."""

    effort: Effort
    summary: None


class Format(TypedDict):
    """Answers are text, or JSON with steps and answer."""

    type: Literal["text", "json_object"]


class SchemaFormat(TypedDict):
    """Answers are JSON of a schema."""

    type: Literal["json_schema"]
    name: str
    description: str | None
    schema: dict[str, Any]
    strict: bool | None


class TextForm(TypedDict):
    """The form of answers."""

    format: Format | SchemaFormat


class Response(TypedDict):
    """A response; `receipt` is there when it is answered."""

    id: str
    object: Literal["response"]
    created_at: Annotated[float, Field(description="Unix time in seconds.")]
    status: Literal["in_progress", "completed", "incomplete", "failed"]
    error: Failure | None
    incomplete_details: Incomplete | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    model: str
    output: list[Item]
    parallel_tool_calls: Literal[False]
    previous_response_id: None
    reasoning: Reasons
    store: Literal[False]
    temperature: float
    text: TextForm
    tool_choice: Literal["none"]
    tools: Empty
    top_p: float
    truncation: Literal["disabled"]
    usage: ItemUsage | None
    user: str | None
    receipt: NotRequired[Receipt]


class Numbered(TypedDict):
    """Events are counted from 0."""

    sequence_number: Count


class ResponseTold(Numbered):
    """The response as it stands: at first, and as the last event."""

    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"
    ]
    response: Response


class ItemTold(Numbered):
    """An item begins or is done."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: Count
    item: Item


class Placed(Numbered):
    """Where in the output an event belongs."""

    item_id: str
    output_index: Count
    content_index: Count


class PartTold(Placed):
    """A part of an item begins or is done."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    part: Part


class ReasoningDelta(Placed):
    """A token of the steps with the layers that it took; or, without text, a step whose line is whole. That is no event
    of its own, for OpenAI's clients fail at one that they do not know.
    """

    type: Literal["response.reasoning_text.delta"]
    delta: str
    depth: NotRequired[Count]
    step: NotRequired[JudgedStep]


class ReasoningDone(Placed):
    """All of the steps' text."""

    type: Literal["response.reasoning_text.done"]
    text: str


class TextDelta(Placed):
    """The answer, which comes in one piece."""

    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: Empty


class TextDone(Placed):
    """The answer once more."""

    type: Literal["response.output_text.done"]
    text: str
    logprobs: Empty


class RefusalDelta(Placed):
    """Why there is no answer."""

    type: Literal["response.refusal.delta"]
    delta: str


class RefusalDone(Placed):
    """The same once more."""

    type: Literal["response.refusal.done"]
    refusal: str


class ErrorTold(Numbered):
    """The stream ends with an error."""

    type: Literal["error"]
    message: str
    param: str | None
    code: str | None


Event = Annotated[
    ResponseTold
    | ItemTold
    | PartTold
    | ReasoningDelta
    | ReasoningDone
    | TextDelta
    | TextDone
    | RefusalDelta
    | RefusalDone
    | ErrorTold,
    Field(discriminator="type"),
]
"""Any event of a stream, by its `type`, which is also its name as a server-sent event."""
