"""openai-agents: an agent with the default model, that of the Responses API, and with the model of the chat API."""

from __future__ import annotations

import asyncio

from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, SQLiteSession
from openai import AsyncOpenAI
from pydantic import BaseModel

QUESTION = "What is 48 + 27 - 3?"


class Answer(BaseModel):
    answer: int


def assistant() -> Agent:
    return Agent(name="Assistant", instructions="You are a helpful assistant", model="nano")


def test_run_sync() -> None:
    assert Runner.run_sync(assistant(), QUESTION).final_output == "72"


def test_stream() -> None:
    async def streamed() -> tuple[str, str]:
        result = Runner.run_streamed(assistant(), QUESTION)
        deltas = [
            event.data.delta
            async for event in result.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
        return "".join(deltas), result.final_output

    assert asyncio.run(streamed()) == ("72", "72")


def test_session() -> None:
    session = SQLiteSession("conversation")
    assert Runner.run_sync(assistant(), "What is 20 + 30?", session=session).final_output == "50"
    assert Runner.run_sync(assistant(), QUESTION, session=session).final_output == "72"


def test_output_type() -> None:
    agent = Agent(name="Assistant", instructions="You are a helpful assistant", model="nano", output_type=Answer)
    assert Runner.run_sync(agent, QUESTION).final_output == Answer(answer=72)


def test_settings() -> None:
    settings = ModelSettings(temperature=0, parallel_tool_calls=False, store=False)
    agent = Agent(name="Assistant", instructions="Be brief.", model="nano", model_settings=settings)
    assert Runner.run_sync(agent, QUESTION).final_output == "72"


def test_chat_completions_model() -> None:
    model = OpenAIChatCompletionsModel(model="nano", openai_client=AsyncOpenAI())
    agent = Agent(name="Assistant", instructions="You are a helpful assistant", model=model)
    assert Runner.run_sync(agent, QUESTION).final_output == "72"
