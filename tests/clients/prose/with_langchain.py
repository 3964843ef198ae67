"""langchain-openai: structured output by each method, and functions that a model chooses among."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    kind: Literal["x", "y"]
    number: int = Field(ge=0, le=9)


class Whole(BaseModel):
    """Something with parts."""

    name: str
    parts: list[Part]
    best: Part | None = None


class Free(BaseModel):
    model_config = ConfigDict(extra="allow")


@tool
def weather(city: Literal["Oslo", "Rome"]) -> str:
    """The weather of a city."""
    return f"sun in {city}"


@tool
def now() -> str:
    """The time."""
    return "noon"


@pytest.mark.parametrize("method", [None, "function_calling", "json_schema"])
@pytest.mark.parametrize("responses", [False, True])
def test_structured_output(method: str | None, responses: bool) -> None:
    options: Any = {"method": method} if method else {}
    model = ChatOpenAI(model="closing", use_responses_api=responses)
    assert isinstance(model.with_structured_output(Whole, **options).invoke("Hello"), Whole)


def test_json_mode() -> None:
    model = ChatOpenAI(model="closing").with_structured_output(Free, method="json_mode")
    assert isinstance(model.invoke("Hello, answer in JSON."), Free)


@pytest.mark.parametrize("choice", [None, "auto", "any", "weather", "none"])
@pytest.mark.parametrize("model", ["closing", "calling"])
def test_bind_tools(model: str, choice: str | None) -> None:
    bound = ChatOpenAI(model=model).bind_tools([weather, now], **({} if choice is None else {"tool_choice": choice}))
    message: Any = bound.invoke("Hello")
    chunks: Any = list(bound.stream("Hello"))
    streamed = chunks[0]
    for chunk in chunks[1:]:
        streamed += chunk
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    assert [(call["name"], call["args"]) for call in streamed.tool_calls] == calls
    assert bool(calls) == (choice in ("any", "weather") or (model == "calling" and choice != "none"))
    if choice == "weather":
        assert [name for name, _ in calls] == ["weather"]
    for name, arguments in calls:
        assert {"weather": weather, "now": now}[name].invoke(arguments)


def test_replies_of_functions_come_back() -> None:
    bound = ChatOpenAI(model="calling").bind_tools([weather, now])
    message: Any = bound.invoke("Hello")
    assert message.tool_calls
    replies = [ToolMessage("sun", tool_call_id=call["id"]) for call in message.tool_calls]
    assert bound.invoke([HumanMessage("Hello"), message, *replies]).content
