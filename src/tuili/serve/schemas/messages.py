"""The messages of a conversation as clients send them, in chats and as items of responses. They can include earlier
answers that were function calls (see `tools`), and the client's replies to these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.config import JsonDict

from tuili.serve.errors import HttpError
from tuili.serve.schemas.fields import MAX_CONTENT_PARTS, EmptyList, Name, StrictModel
from tuili.serve.schemas.rules import all_null, all_of
from tuili.serve.schemas.without_effect import NoItems, NullOnly

ASSISTANT_FIELDS = ("refusal", "reasoning", "reasoning_content")
"""Fields that only the assistant's messages may have."""


ItemStatus = Literal["in_progress", "completed", "incomplete"]


class TextPart(StrictModel):
    """A part of a message. Only text is supported."""

    type: Literal["text", "input_text", "output_text"] = "text"
    text: str
    annotations: EmptyList | None = None
    logprobs: EmptyList | None = None


class RefusalPart(StrictModel):
    """Why there was no answer, in place of one."""

    type: Literal["refusal"]
    refusal: str


class FunctionArguments(StrictModel):
    """The name of a called function, and its arguments as JSON."""

    name: Name
    arguments: str


class ToolCall(StrictModel):
    """A function call in a message from the assistant."""

    id: Name
    type: Literal["function"] = "function"
    function: FunctionArguments


Content = str | Annotated[list[TextPart | RefusalPart], Field(min_length=1, max_length=MAX_CONTENT_PARTS)]
ToolCalls = Annotated[list[ToolCall], Field(max_length=MAX_CONTENT_PARTS)]
OF_ASSISTANT: JsonDict = {"properties": {"role": {"const": "assistant"}}}
HAS_CONTENT: JsonDict = {"properties": {"content": {"type": ["string", "array"]}}, "required": ["content"]}
HAS_REFUSAL: JsonDict = {"properties": {"refusal": {"type": "string"}}, "required": ["refusal"]}
HAS_CALLS: JsonDict = {"properties": {"tool_calls": {"type": "array", "minItems": 1}}, "required": ["tool_calls"]}
REPLIES_TO_CALL: JsonDict = {
    "properties": {"role": {"const": "tool"}, "tool_call_id": {"type": "string"}},
    "required": ["tool_call_id"],
}


NO_REPLY: JsonDict = {"properties": {"role": {"not": {"const": "tool"}}, "tool_call_id": {"type": "null"}}}


class Message(StrictModel):
    """One message of a conversation. This server's answers can be sent back unchanged; models of steps do not read the
    steps of earlier answers (`reasoning`) again.
    """

    model_config = ConfigDict(
        json_schema_extra=all_of(
            {"anyOf": [HAS_CONTENT, HAS_REFUSAL]}, {"anyOf": [OF_ASSISTANT, all_null(*ASSISTANT_FIELDS)]}
        )
    )

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | None = None
    name: Name | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> Message:
        if self.content is None and self.refusal is None and not self.calls:
            raise ValueError("content is missing")
        if self.role != "assistant" and (
            self.calls or any(getattr(self, name) is not None for name in ASSISTANT_FIELDS)
        ):
            raise ValueError("refusal, reasoning and tool_calls are of the assistant")
        return self

    @property
    def text(self) -> str:
        """The text of the content; if that is empty, the refusal or the arguments of the calls."""
        text = content_text(self.content)
        return text or self.refusal or "\n".join(call.function.arguments for call in self.calls)

    @property
    def calls(self) -> list[ToolCall]:
        """The function calls in the message."""
        return []


def content_text(content: Content | None) -> str:
    """The text of a message's content; empty if there is none."""
    if isinstance(content, str):
        return content
    return "".join(part.text if isinstance(part, TextPart) else part.refusal for part in content or ())


class CarriedOut(Message):
    """An instruction that the server itself carries out. No model receives it, and the receipt counts it."""


class ChatInput(Message):
    """A message of a chat. In the role `tool`, its content is a function's reply, which models of steps do not read."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            {"anyOf": [HAS_CONTENT, HAS_REFUSAL, HAS_CALLS]},
            {"anyOf": [OF_ASSISTANT, all_null(*ASSISTANT_FIELDS, "tool_calls")]},
            {"anyOf": [REPLIES_TO_CALL, NO_REPLY]},
        )
    )

    role: Literal["system", "developer", "user", "assistant", "tool"]  # type: ignore[assignment]
    tool_calls: ToolCalls | None = None
    tool_call_id: Name | None = None
    annotations: NoItems = None
    audio: NullOnly = None
    function_call: NullOnly = None

    @model_validator(mode="after")
    def _check_call_id(self) -> ChatInput:
        if (self.role == "tool") != (self.tool_call_id is not None):
            raise ValueError("tool_call_id is of messages of the role tool, which need it")
        return self

    @property
    def calls(self) -> list[ToolCall]:
        """The function calls in the message."""
        return self.tool_calls or []


class MessageInput(Message):
    """A message among the items of a response."""

    type: Literal["message"] = "message"
    id: Name | None = None
    status: ItemStatus | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class FunctionCallInput(FunctionArguments):
    """A function call among the items."""

    type: Literal["function_call"]
    call_id: Name
    id: Name | None = None
    status: ItemStatus | None = None
    caller: NullOnly = None
    namespace: NullOnly = None


class FunctionOutputInput(StrictModel):
    """A function's reply, which models of steps do not read."""

    type: Literal["function_call_output"]
    call_id: Name
    output: Content
    id: Name | None = None
    status: ItemStatus | None = None


class ReasoningInput(StrictModel):
    """The steps of an earlier response, which are not read again."""

    type: Literal["reasoning"]
    id: Name | None = None
    summary: list[Any] = Field(default=[], max_length=MAX_CONTENT_PARTS)
    content: Annotated[list[Any], Field(max_length=MAX_CONTENT_PARTS)] | None = None
    encrypted_content: NullOnly = None
    status: ItemStatus | None = None


class ItemReference(StrictModel):
    """An item of an earlier response, by its id. If it is not kept, it is only accepted where it is not read."""

    type: Literal["item_reference"]
    id: Name


NOT_READ = ReasoningInput(type="reasoning")
"""Takes the place of a turn that is not read."""
ITEM_TYPES = ("reasoning", "function_call", "function_call_output", "item_reference")


def _item_type(value: object) -> str:
    given = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return given if given in ITEM_TYPES else "message"


InputItem = Annotated[
    Annotated[MessageInput, Tag("message")]
    | Annotated[ReasoningInput, Tag("reasoning")]
    | Annotated[FunctionCallInput, Tag("function_call")]
    | Annotated[FunctionOutputInput, Tag("function_call_output")]
    | Annotated[ItemReference, Tag("item_reference")],
    Discriminator(_item_type),
]
Turn = Message | ReasoningInput | FunctionCallInput | FunctionOutputInput | ItemReference


def without_calls(turns: Sequence[Turn], place: str = "messages") -> list[Message | ReasoningInput]:
    """The same conversation without function calls. A call becomes the answer to the question before it, unless
    another answer to that question follows. Replies to calls, and calls after the last question, are not read, so that
    this question is asked again. A turn that is not read is replaced by a reasoning item, which is not read either.

    Raises `HttpError` for a reply to a call that was not made. `place` is the request field that contains the turns.
    """
    called: set[str] = set()
    read: list[Message | ReasoningInput] = []
    for number, turn in enumerate(turns):
        if isinstance(turn, FunctionCallInput):
            called.add(turn.call_id)
            read.append(_as_answer(turns, number, turn.arguments))
        elif isinstance(turn, FunctionOutputInput) or (isinstance(turn, ChatInput) and turn.tool_call_id is not None):
            name, call = (
                ("tool_call_id", turn.tool_call_id) if isinstance(turn, ChatInput) else ("call_id", turn.call_id)
            )
            if call not in called:
                at = f"{place}.{number}.{name}"
                raise HttpError(400, f"{at}: no call before it has this id", "invalid_value", at)
            read.append(NOT_READ)
        elif isinstance(turn, ItemReference):
            read.append(NOT_READ)
        elif isinstance(turn, Message) and turn.calls:
            called |= {call.id for call in turn.calls}
            read.append(_as_answer(turns, number, turn.text))
        else:
            read.append(turn)
    return read


def _as_answer(turns: Sequence[Turn], number: int, text: str) -> Message | ReasoningInput:
    """The call at this index as an answer; `NOT_READ` unless a question follows before any other answer."""
    for later in turns[number + 1 :]:
        if isinstance(later, FunctionCallInput) or (isinstance(later, Message) and later.role == "assistant"):
            return NOT_READ
        if isinstance(later, Message) and later.role == "user":
            return Message(role="assistant", content=text)
    return NOT_READ
