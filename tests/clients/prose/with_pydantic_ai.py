"""pydantic-ai: agents whose output is a nested model, and agents with functions, by both routes."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput

both = pytest.mark.parametrize("route", ["openai", "openai-chat"])


class Part(BaseModel):
    kind: Literal["x", "y"]
    number: int = Field(ge=0, le=9)


class Whole(BaseModel):
    """Something with parts."""

    name: str
    parts: list[Part]
    best: Part | None = None


@both
def test_text(route: str) -> None:
    assert Agent(f"{route}:closing", instructions="Be brief.").run_sync("Hello").output


@both
def test_a_model_by_a_tool(route: str) -> None:
    assert isinstance(Agent(f"{route}:closing", output_type=Whole).run_sync("Hello").output, Whole)


@both
def test_a_model_by_the_format(route: str) -> None:
    agent = Agent(f"{route}:closing", output_type=NativeOutput(Whole))
    assert isinstance(agent.run_sync("Hello").output, Whole)


@both
def test_one_of_several_models(route: str) -> None:
    agent = Agent(f"{route}:closing", output_type=[Part, Whole])
    assert isinstance(agent.run_sync("Hello").output, Part | Whole)


@both
def test_a_stream_of_a_model(route: str) -> None:
    async def streamed() -> Whole:
        async with Agent(f"{route}:closing", output_type=Whole).run_stream("Hello") as result:
            return [whole async for whole in result.stream_output()][-1]

    assert isinstance(asyncio.run(streamed()), Whole)


@both
def test_an_agent_calls_functions_and_answers(route: str) -> None:
    agent, heard = Agent(f"{route}:calling"), list[object]()

    @agent.tool_plain
    def weather(city: Literal["Oslo", "Rome"], days: Part | None = None) -> str:
        """The weather of a city."""
        heard.append((city, days))
        return "sun"

    result = agent.run_sync("How is the weather?")
    assert result.output
    assert heard
    assert agent.run_sync("And now?", message_history=result.all_messages()).output
