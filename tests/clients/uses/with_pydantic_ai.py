"""pydantic-ai: agents with text, a number and an object as output, by the Responses API and the chat API."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent

QUESTION = "What is 48 + 27 - 3?"
both = pytest.mark.parametrize("model", ["openai:nano", "openai-chat:nano"])


class Answer(BaseModel):
    answer: int


class Explained(BaseModel):
    """An answer, and how it was found."""

    explanation: list[str]
    answer: int


@both
def test_text(model: str) -> None:
    agent = Agent(model, instructions="You are a helpful assistant.")
    assert agent.run_sync(QUESTION).output == "72"


@both
def test_stream(model: str) -> None:
    async def streamed() -> str:
        async with Agent(model).run_stream(QUESTION) as result:
            return [text async for text in result.stream_text()][-1]

    assert asyncio.run(streamed()) == "72"


@both
def test_the_conversation_goes_on(model: str) -> None:
    agent = Agent(model)
    first = agent.run_sync("What is 20 + 30?")
    assert first.output == "50"
    assert agent.run_sync(QUESTION, message_history=first.new_messages()).output == "72"


@both
def test_int(model: str) -> None:
    assert Agent(model, output_type=int).run_sync(QUESTION).output == 72


@both
def test_model(model: str) -> None:
    assert Agent(model, output_type=Answer).run_sync(QUESTION).output == Answer(answer=72)


@both
def test_model_with_its_reasons(model: str) -> None:
    explained = Agent(model, output_type=Explained).run_sync(QUESTION).output
    assert explained.answer == 72
    assert explained.explanation
