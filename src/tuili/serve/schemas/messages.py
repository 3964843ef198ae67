"""The messages of a conversation, as clients send them: in chats, and as items of responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from tuili.serve.schemas.fields import MAX_CONTENT_PARTS, EmptyList, Name, StrictModel
from tuili.serve.schemas.rules import all_null, all_of

ASSISTANT_FIELDS = ("refusal", "reasoning", "reasoning_content")
"""Fields that only the assistant's messages may have."""


class TextPart(StrictModel):
    """A piece of a message. Text alone is understood."""

    type: Literal["text", "input_text", "output_text"] = "text"
    text: str
    annotations: EmptyList | None = None
    logprobs: EmptyList | None = None


class RefusalPart(StrictModel):
    """In place of an answer: why there was none."""

    type: Literal["refusal"]
    refusal: str


class Message(StrictModel):
    """One message of a conversation. What this server answers can be sent back as it is: the steps of earlier answers
    (`reasoning`) are not read again.
    """

    model_config = ConfigDict(
        json_schema_extra=all_of(
            {
                "anyOf": [
                    {"properties": {"content": {"type": ["string", "array"]}}, "required": ["content"]},
                    {"properties": {"refusal": {"type": "string"}}, "required": ["refusal"]},
                ]
            },
            {"anyOf": [{"properties": {"role": {"const": "assistant"}}}, all_null(*ASSISTANT_FIELDS)]},
        )
    )

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart | RefusalPart], Field(min_length=1, max_length=MAX_CONTENT_PARTS)] | None = (
        None
    )
    name: Name | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> Message:
        if self.content is None and self.refusal is None:
            raise ValueError("content is missing")
        if self.role != "assistant" and any(getattr(self, name) is not None for name in ASSISTANT_FIELDS):
            raise ValueError("refusal and reasoning are of the assistant")
        return self

    @property
    def text(self) -> str:
        """The text of the content; without content, that of the refusal."""
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


class ReasoningInput(StrictModel):
    """The steps of an earlier response, which are not read again."""

    type: Literal["reasoning"]
    id: Name | None = None
    summary: list[Any] = Field(default=[], max_length=MAX_CONTENT_PARTS)
    content: Annotated[list[Any], Field(max_length=MAX_CONTENT_PARTS)] | None = None
    encrypted_content: None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


def _item_type(value: object) -> str:
    given = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "reasoning" if given == "reasoning" else "message"


InputItem = Annotated[
    Annotated[MessageInput, Tag("message")] | Annotated[ReasoningInput, Tag("reasoning")], Discriminator(_item_type)
]
