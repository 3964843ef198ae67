"""Types of single values that the bodies of requests and replies share, and the strict base class of requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from tuili.engine import MAX_LOGIT_BIAS, MAX_STOP_CHARACTERS, MAX_STOP_TEXTS, MAX_TOKENS

MAX_CHOICES, MAX_MESSAGES, MAX_CONTENT_PARTS = 16, 256, 64
MAX_NAME_CHARS = 256
UNSUPPORTED = "unsupported"
"""The error type for a field that is known but not supported."""

Documented = TypeVar("Documented")


def _require_boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("Input should be false")
    return value


def _as_whole_number(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _require_json(value: object) -> object:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise ValueError("it has a number or a text that cannot be written as JSON") from None
    return value


WHOLE_NUMBER = BeforeValidator(_as_whole_number)
"""JSON has only one kind of number, so 2.0 is a whole number."""
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
StopText = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
StopTexts = StopText | Annotated[list[StopText], Field(max_length=MAX_STOP_TEXTS)] | None
Seed = Annotated[int, Field(ge=0, le=2**63 - 1), WHOLE_NUMBER] | None
TokenLimit = Annotated[int, Field(ge=1, le=MAX_TOKENS), WHOLE_NUMBER] | None
Question = Annotated[str, Field(json_schema_extra={"pattern": r"\S"})]
"""An empty question passes here, because the engine refuses it with an error code of its own."""
TokenId = Annotated[int, Field(ge=0), WHOLE_NUMBER]
TokenIds = Annotated[list[TokenId], Field(min_length=1)]
LogitBias = dict[
    Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})$")],
    Annotated[float, Field(ge=-MAX_LOGIT_BIAS, le=MAX_LOGIT_BIAS)],
]
"""Values that are added to the logits of tokens, by token id."""
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
DepthField = Annotated[int, WHOLE_NUMBER] | Literal["auto", "exact"]
Probability = Annotated[float, Field(gt=0, le=1)]
JsonSchema = Annotated[dict[str, Any], BeforeValidator(_require_json)]

ZeroOnly = Annotated[float, Field(ge=0, le=0)]
OneOnly = Annotated[int, Field(ge=1, le=1), WHOLE_NUMBER]
FalseOnly = Annotated[Literal[False], BeforeValidator(_require_boolean)]
"""Without the validator, 0 would pass, because 0 equals False in Python."""
EmptyList = Annotated[list[Any], Field(max_length=0)]
"""A list that OpenAI's clients expect, and that is always empty here."""

Count = Annotated[int, Field(ge=0)]
UnixSeconds = Annotated[int, Field(ge=0, description="Unix time in seconds.")]


class StrictModel(BaseModel):
    """A part of a request. Unknown fields are refused, and so are values of another JSON type: 0 is not false."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def documented_as(name: str) -> Callable[[type[Documented]], type[Documented]]:
    """Give a `TypedDict` the name by which clients know it in the OpenAPI document, whatever its name is here."""

    def rename(cls: type[Documented]) -> type[Documented]:
        cls.__name__ = cls.__qualname__ = name
        return cls

    return rename


def documented_values(name: str, values: type[StrEnum], description: str) -> WithJsonSchema:
    """The OpenAPI schema of an enumeration's values, with this name and description, which may differ from those in the
    package that defines it.
    """
    names = [str(value) for value in values]
    return WithJsonSchema({"description": description, "enum": names, "title": name, "type": "string"})
