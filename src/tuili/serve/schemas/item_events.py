"""The named events of a streamed `POST /v1/responses`, as types. The response and its items are in `items`."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from tuili.serve.schemas.fields import Count, EmptyList, documented_as
from tuili.serve.schemas.items import ContentPart, OutputItem, ResponseReply
from tuili.serve.schemas.receipts import JudgedStep


class StreamEvent(TypedDict):
    """Events are counted from 0."""

    sequence_number: Count


@documented_as("ResponseTold")
class ResponseStateEvent(StreamEvent):
    """The current response, in the first events and the last one."""

    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"
    ]
    response: ResponseReply


@documented_as("ItemTold")
class OutputItemEvent(StreamEvent):
    """An item begins or is done."""

    type: Literal["response.output_item.added", "response.output_item.done"]
    output_index: Count
    item: OutputItem


class ContentEvent(StreamEvent):
    """The part of the output to which an event belongs."""

    item_id: str
    output_index: Count
    content_index: Count


@documented_as("PartTold")
class ContentPartEvent(ContentEvent):
    """A part of an item begins or is done."""

    type: Literal["response.content_part.added", "response.content_part.done"]
    part: ContentPart


class ReasoningDelta(ContentEvent):
    """A token of the steps with the number of layers it used or, without text, a step whose line is complete. Steps
    have no event type of their own, because OpenAI's clients fail on unknown types.
    """

    type: Literal["response.reasoning_text.delta"]
    delta: str
    depth: NotRequired[Count]
    step: NotRequired[JudgedStep]


class ReasoningDone(ContentEvent):
    """The text of all steps."""

    type: Literal["response.reasoning_text.done"]
    text: str


class TextDelta(ContentEvent):
    """The answer, or a piece of it. depth: the number of layers its token used, if it has one."""

    type: Literal["response.output_text.delta"]
    delta: str
    depth: NotRequired[Count]
    logprobs: EmptyList


class TextDone(ContentEvent):
    """The text of the whole answer."""

    type: Literal["response.output_text.done"]
    text: str
    logprobs: EmptyList


class RefusalDelta(ContentEvent):
    """Why there is no answer."""

    type: Literal["response.refusal.delta"]
    delta: str


class RefusalDone(ContentEvent):
    """The whole refusal."""

    type: Literal["response.refusal.done"]
    refusal: str


class ArgumentsEvent(StreamEvent):
    """The function call that an event is about."""

    item_id: str
    output_index: Count


class ArgumentsDelta(ArgumentsEvent):
    """The arguments of a function call as JSON, or a piece of them."""

    type: Literal["response.function_call_arguments.delta"]
    delta: str


class ArgumentsDone(ArgumentsEvent):
    """The function's name and all its arguments."""

    type: Literal["response.function_call_arguments.done"]
    name: str
    arguments: str


@documented_as("ErrorTold")
class ErrorEvent(StreamEvent):
    """The stream ends with an error."""

    type: Literal["error"]
    message: str
    param: str | None
    code: str | None


ResponseEvent = Annotated[
    ResponseStateEvent
    | OutputItemEvent
    | ContentPartEvent
    | ReasoningDelta
    | ReasoningDone
    | TextDelta
    | TextDone
    | RefusalDelta
    | RefusalDone
    | ArgumentsDelta
    | ArgumentsDone
    | ErrorEvent,
    Field(discriminator="type"),
]
"""Any event of a stream, by its `type`, which is also its name as a server-sent event."""
