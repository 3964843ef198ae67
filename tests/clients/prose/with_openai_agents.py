"""openai-agents: functions, a type of output, both together and hand-offs, by both routes."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool
from openai import AsyncOpenAI
from pydantic import BaseModel, Field

both = pytest.mark.parametrize("route", ["responses", "chat"])


class Part(BaseModel):
    kind: Literal["x", "y"]
    number: int = Field(ge=0, le=9)


class Whole(BaseModel):
    name: str
    parts: list[Part]
    best: Part | None


HEARD: list[str] = []


@function_tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """The weather of a city."""
    HEARD.append(city)
    return "sun"


def agent(route: str, model: str, **options: Any) -> Agent:
    chosen: Any = (
        model if route == "responses" else OpenAIChatCompletionsModel(model=model, openai_client=AsyncOpenAI())
    )
    return Agent(name="Assistant", instructions="Be brief.", model=chosen, **options)


@both
def test_output_type(route: str) -> None:
    result = Runner.run_sync(agent(route, "closing", output_type=Whole), "Hello")
    assert isinstance(result.final_output, Whole)


@both
def test_functions(route: str) -> None:
    HEARD.clear()
    assert Runner.run_sync(agent(route, "calling", tools=[weather]), "Hello").final_output
    assert HEARD


@both
def test_functions_in_a_stream(route: str) -> None:
    async def streamed() -> str:
        result = Runner.run_streamed(agent(route, "calling", tools=[weather]), "Hello")
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    assert asyncio.run(streamed())


@both
def test_functions_and_a_type_of_output(route: str) -> None:
    HEARD.clear()
    result = Runner.run_sync(agent(route, "calling", tools=[weather], output_type=Whole), "Hello")
    assert isinstance(result.final_output, Whole)
    assert HEARD


@both
def test_a_function_that_is_required(route: str) -> None:
    HEARD.clear()
    settings = ModelSettings(tool_choice="required", parallel_tool_calls=False)
    assert Runner.run_sync(agent(route, "closing", tools=[weather], model_settings=settings), "Hello").final_output
    assert len(HEARD) == 1


@both
def test_a_hand_off(route: str) -> None:
    other = agent(route, "closing")
    result = Runner.run_sync(agent(route, "calling", handoffs=[other]), "Hello")
    assert result.last_agent is other
    assert result.final_output
