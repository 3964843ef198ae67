"""dspy: typed outputs, several of them, by the default adapter and by that for JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

import dspy
import pytest
from pydantic import BaseModel, Field


class Part(BaseModel):
    kind: Literal["x", "y"]
    number: int = Field(ge=0, le=9)


class Judge(dspy.Signature):
    """Judge a text."""

    text: str = dspy.InputField()
    verdict: Literal["good", "bad"] = dspy.OutputField()
    parts: list[Part] = dspy.OutputField()


@pytest.fixture(autouse=True, params=[None, dspy.ChatAdapter, dspy.JSONAdapter], ids=["default", "chat", "json"])
def configured(request: pytest.FixtureRequest) -> Iterator[None]:
    lm = dspy.LM("openai/closing", api_base=os.environ["OPENAI_BASE_URL"], api_key="none", cache=False)
    adapter = {} if request.param is None else {"adapter": request.param()}
    with dspy.context(lm=lm, **adapter):
        yield


def test_text() -> None:
    assert isinstance(dspy.Predict("question -> answer")(question="Hello").answer, str)


def test_typed() -> None:
    assert isinstance(dspy.Predict("question -> answer: int")(question="Hello").answer, int)


def test_several() -> None:
    judged = dspy.Predict(Judge)(text="Hello")
    assert judged.verdict in ("good", "bad")
    assert all(isinstance(part, Part) for part in judged.parts)


def test_chain_of_thought() -> None:
    prediction = dspy.ChainOfThought("question -> answer: bool")(question="Hello")
    assert isinstance(prediction.answer, bool)
    assert isinstance(prediction.reasoning, str)
