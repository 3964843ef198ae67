"""The formats of answers that clients may request: text, JSON, or JSON that fits a schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuili.serve.schemas.fields import JsonSchema, StrictModel
from tuili.serve.schemas.without_effect import Verbosity


class Text(StrictModel):
    """Answers are text."""

    type: Literal["text"]


class JsonObject(StrictModel):
    """Answers are JSON: any object or, from a model of steps, one with the properties `steps` and `answer`."""

    type: Literal["json_object"]


class Schema(StrictModel):
    """A JSON schema. For a model of steps, an answer and its steps must be able to fill it; see
    `tuili.serve.forms.structured`."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    body: Annotated[JsonSchema, Field(alias="schema")]
    strict: bool | None = None


class ChatSchema(StrictModel):
    """Answers are JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: Schema


class ItemSchema(Schema):
    """The same for `/v1/responses`, without a nested object."""

    type: Literal["json_schema"]


class TextFormat(StrictModel):
    """What answers look like."""

    format: Annotated[Text | JsonObject | ItemSchema, Field(discriminator="type")] = Text(type="text")
    verbosity: Verbosity = None
