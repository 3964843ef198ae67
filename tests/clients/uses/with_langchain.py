"""langchain-openai: `ChatOpenAI` invoked, streamed, in a chain, and with structured output by each method."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAI
from pydantic import BaseModel, Field

QUESTION = "What is 48 + 27 - 3?"
MESSAGES = [("system", "You are a helpful assistant."), ("human", QUESTION)]


class Answer(BaseModel):
    """The answer to a question."""

    answer: int = Field(description="the answer to the question")


def test_invoke() -> None:
    message = ChatOpenAI(model="nano").invoke(MESSAGES)
    assert message.content == "72"
    assert message.usage_metadata is not None
    assert message.usage_metadata["total_tokens"] > 0


def test_stream() -> None:
    chunks = list(ChatOpenAI(model="nano").stream(MESSAGES))
    assert "".join(str(chunk.content) for chunk in chunks) == "72"


def test_chain() -> None:
    prompt = ChatPromptTemplate.from_messages([("system", "You are a helpful assistant."), ("human", "{input}")])
    assert (prompt | ChatOpenAI(model="nano", temperature=0)).invoke({"input": QUESTION}).content == "72"


@pytest.mark.parametrize("method", [None, "function_calling", "json_schema"])
def test_structured_output(method: str | None) -> None:
    options: Any = {"method": method} if method else {}
    assert ChatOpenAI(model="nano").with_structured_output(Answer, **options).invoke(QUESTION) == Answer(answer=72)


def test_responses() -> None:
    assert ChatOpenAI(model="nano", use_responses_api=True).invoke(MESSAGES).text == "72"


def test_completions() -> None:
    assert OpenAI(model="nano").invoke(QUESTION).splitlines()[-1] == "72"
