"""Requests with a grammar: the model thinks, and then its answer has the form."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tuili.engine import Budget, Engine, NotPromised, Outcome, Request, load_engine
from tuili.errors import InputError
from tuili.grammars import Grammar
from tuili.steps import CalculatorMode

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}, "unit": {"enum": ["none", "m"]}},
    "required": ["answer", "unit"],
    "additionalProperties": False,
}
QUESTION = "What is 48 + 27 * 3?"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = load_engine("nano", slots=4)
    yield engine
    engine.check()


def test_the_model_thinks_and_then_answers_in_the_form(engine: Engine) -> None:
    plain, formed, drafted = engine.answer(
        [
            Request(QUESTION),
            Request(QUESTION, grammar=Grammar.of_json(SCHEMA)),
            Request(QUESTION, depth="exact", grammar=Grammar.of_json(SCHEMA)),
        ]
    )
    assert [step.text for step in formed.steps] == [step.text for step in plain.steps]
    assert formed.receipt.outcome is Outcome.ANSWERED
    assert formed.receipt.stop == "end"
    for answer in (formed, drafted):
        assert set(json.loads(answer.answer)) == {"answer", "unit"}


@pytest.mark.parametrize("calculator", ["forced", "repair"])
def test_the_checker_calculates_before_the_form(calculator: CalculatorMode, engine: Engine) -> None:
    request = Request("What is 12345 * 678?", grammar=Grammar.of_json(SCHEMA), calculator=calculator)
    (answer,) = engine.answer([request])
    assert answer.receipt.written_by["checker"] > 0
    assert answer.receipt.checked == {"valid": len(answer.steps)}
    assert set(json.loads(answer.answer)) == {"answer", "unit"}


def test_a_budget_cuts_an_answer_and_says_so(engine: Engine) -> None:
    (whole,) = engine.answer([Request(QUESTION, grammar=Grammar.of_json(SCHEMA))])
    most = whole.receipt.tokens["generated"] - 3
    (cut,) = engine.answer([Request(QUESTION, Budget(max_tokens=most), grammar=Grammar.of_json(SCHEMA))])
    assert (cut.receipt.stop, cut.receipt.tokens["generated"]) == ("length", most)
    assert cut.receipt.outcome is Outcome.ABSTAINED


def test_a_further_attempt_goes_on_with_steps_and_ends_in_the_form(engine: Engine) -> None:
    """The prompt of the second attempt has begun the thinking."""
    asked = [Request(f"Is {number} a prime?", Budget(max_steps=3, max_tokens=900)) for number in (17, 51, 91, 97)]
    formed = [Request(each.prompt, each.budget, grammar=Grammar.of_json(SCHEMA)) for each in asked]
    answers = engine.answer(formed)
    assert max(answer.receipt.attempts for answer in answers) > 1
    for answer in answers:
        assert answer.receipt.outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT)
        assert set(json.loads(answer.answer)) == {"answer", "unit"}


def test_a_request_that_is_cancelled_leaves_nothing_behind(engine: Engine) -> None:
    ticket = engine.admit(Request(QUESTION, grammar=Grammar.of_json(SCHEMA)))
    for _ in range(5):
        engine.step()
    engine.cancel(ticket)
    engine.check()
    assert engine.answer([Request(QUESTION)])[0].answer == "129"


def test_what_cannot_be_kept_or_promised_is_refused_before_anything_is_written(engine: Engine) -> None:
    with pytest.raises(InputError, match="the form of the answer cannot be kept"):
        engine.admit(Request(QUESTION, grammar=Grammar("body: missing")))
    with pytest.raises(NotPromised, match="no grammar"):
        engine.admit(Request(QUESTION, Budget(error_tolerance=0.2), grammar=Grammar.of_json(SCHEMA)))
    assert not engine.busy
