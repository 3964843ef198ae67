"""litellm: `completion` and `responses` with the prefix `openai/`, which means any server of OpenAI's API."""

from __future__ import annotations

import json
import os
from typing import Any

import litellm
from pydantic import BaseModel

API_BASE = os.environ["OPENAI_BASE_URL"]
MESSAGES = [{"role": "user", "content": "What is 48 + 27 - 3?"}]


class Answer(BaseModel):
    answer: int


def test_completion() -> None:
    response: Any = litellm.completion(model="openai/nano", api_base=API_BASE, messages=MESSAGES)
    assert response.choices[0].message.content == "72"
    assert response.choices[0].message.reasoning_content
    assert response.usage.total_tokens > 0


def test_stream() -> None:
    chunks: Any = litellm.completion(model="openai/nano", api_base=API_BASE, messages=MESSAGES, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "72"


def test_system_message() -> None:
    messages = [{"role": "system", "content": "You are a helpful assistant."}, *MESSAGES]
    response: Any = litellm.completion(model="openai/nano", api_base=API_BASE, messages=messages)
    assert response.choices[0].message.content == "72"


def test_response_format() -> None:
    response: Any = litellm.completion(
        model="openai/nano", api_base=API_BASE, messages=MESSAGES, response_format=Answer
    )
    assert json.loads(response.choices[0].message.content) == {"answer": 72}


def test_text_completion() -> None:
    response: Any = litellm.text_completion(
        model="text-completion-openai/nano", api_base=API_BASE, prompt="What is 48 + 27 - 3?"
    )
    assert response.choices[0].text.splitlines()[-1] == "72"


def test_responses() -> None:
    response: Any = litellm.responses(model="openai/nano", api_base=API_BASE, input="What is 48 + 27 - 3?")
    assert response.output_text == "72"
