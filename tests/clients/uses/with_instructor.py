"""instructor: its default mode, tools, and the mode that asks for JSON of a schema."""

from __future__ import annotations

from typing import Any

import instructor
from openai import OpenAI
from pydantic import BaseModel, Field

MESSAGES: Any = [{"role": "user", "content": "What is 48 + 27 - 3?"}]


class Answer(BaseModel):
    answer: int


class Bounded(BaseModel):
    steps: list[str]
    answer: int = Field(ge=0, le=1000, description="a number")


def test_from_provider() -> None:
    client = instructor.from_provider("openai/nano")
    assert client.create(response_model=Answer, messages=MESSAGES, max_retries=0).answer == 72


def test_from_openai() -> None:
    client = instructor.from_openai(OpenAI())
    answer = client.chat.completions.create(model="nano", response_model=Answer, messages=MESSAGES, max_retries=0)
    assert answer.answer == 72


def test_steps_and_bounds() -> None:
    client = instructor.from_provider("openai/nano")
    bounded = client.create(response_model=Bounded, messages=MESSAGES, max_retries=0)
    assert bounded.answer == 72
    assert bounded.steps


def test_int() -> None:
    client = instructor.from_provider("openai/nano")
    assert client.create(response_model=int, messages=MESSAGES, max_retries=0) == 72


def test_partial() -> None:
    client = instructor.from_provider("openai/nano")
    *_, last = client.create_partial(response_model=Answer, messages=MESSAGES, max_retries=0)
    assert last.answer == 72


def test_json_schema() -> None:
    client = instructor.from_openai(OpenAI(), mode=instructor.Mode.JSON_SCHEMA)
    answer = client.chat.completions.create(model="nano", response_model=Answer, messages=MESSAGES, max_retries=0)
    assert answer.answer == 72
