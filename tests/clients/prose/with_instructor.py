"""instructor: nested models by tools and by JSON of a schema, whole, in parts and one after the other."""

from __future__ import annotations

from typing import Any, Literal

import instructor
import pytest
from openai import OpenAI
from pydantic import BaseModel, Field

MESSAGES: Any = [{"role": "user", "content": "Hello"}]


class Part(BaseModel):
    kind: Literal["x", "y"]
    number: int = Field(ge=0, le=9)


class Whole(BaseModel):
    name: str
    parts: list[Part]
    best: Part | None = None


def test_from_provider() -> None:
    client = instructor.from_provider("openai/closing")
    assert isinstance(client.create(response_model=Whole, messages=MESSAGES, max_retries=0), Whole)


@pytest.mark.parametrize(
    "mode", [instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA], ids=str
)
def test_modes(mode: instructor.Mode) -> None:
    client = instructor.from_openai(OpenAI(), mode=mode)
    whole = client.chat.completions.create(model="closing", response_model=Whole, messages=MESSAGES, max_retries=0)
    assert isinstance(whole, Whole)


def test_iterable() -> None:
    client = instructor.from_provider("openai/closing")
    parts = list(client.create_iterable(response_model=Part, messages=MESSAGES, max_retries=0))
    assert all(isinstance(part, Part) for part in parts)


def test_partial() -> None:
    client = instructor.from_provider("openai/closing")
    *_, last = client.create_partial(response_model=Whole, messages=MESSAGES, max_retries=0)
    Whole.model_validate(last.model_dump())
