"""dspy: `Predict` with a signature in one line, typed and untyped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import dspy
import pytest

QUESTION = "What is 48 + 27 - 3?"


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    lm = dspy.LM("openai/nano", api_base=os.environ["OPENAI_BASE_URL"], api_key="none", cache=False)
    with dspy.context(lm=lm):
        yield


def test_predict() -> None:
    assert dspy.Predict("question -> answer")(question=QUESTION).answer == "72"


def test_typed() -> None:
    assert dspy.Predict("question -> answer: int")(question=QUESTION).answer == 72


def test_chain_of_thought() -> None:
    prediction = dspy.ChainOfThought("question -> answer: int")(question=QUESTION)
    assert prediction.answer == 72
    assert prediction.reasoning
