"""Model and checker get the same text: questions with their notation undone, which the receipt shows."""

from __future__ import annotations

import pytest

from tests.engine.reciting import reciting
from tuili.engine import Answer, Budget, Request, Sampling, explain
from tuili.engine.promises.promises import _is_calibrated_kind
from tuili.model import LoadedModel
from tuili.steps import Context

ASKED = "P1: x≤3. P2: y=2x+1. Is x−3≤0?"
READ = "P1: x <= 3. P2: y = 2x + 1. Is x - 3 <= 0?"
RESPONSE = "<think>\nP1 => x - 3 <= 0\n</think>yes"


def answered(loaded: LoadedModel, request: Request) -> tuple[Answer, str]:
    """The answer to a request, and the text that its model was given."""
    engine, sequences = reciting(loaded, RESPONSE)
    (answer,) = engine.answer([request])
    return answer, loaded.tokenizer.decode(sequences[0].prompt)


def test_a_question_is_read_before_model_and_checker(loaded: LoadedModel) -> None:
    answer, given = answered(loaded, Request(ASKED))
    assert given == loaded.tokenizer.decode(loaded.tokenizer.encode_prompt(READ))
    assert [step.verdict.status.value for step in answer.steps] == ["valid"]
    assert (answer.prompt, answer.receipt.read_as) == (ASKED, READ)
    assert answer.receipt.tokens["prompt"] == len(loaded.tokenizer.encode_prompt(READ))
    assert answer.as_json()["receipt"]["read_as"] == READ


def test_a_question_without_notation_is_given_as_it_is(loaded: LoadedModel) -> None:
    answer, given = answered(loaded, Request(READ))
    assert given == loaded.tokenizer.decode(loaded.tokenizer.encode_prompt(READ))
    assert answer.receipt.read_as is None
    assert answer.as_json()["receipt"]["read_as"] is None


def test_earlier_questions_are_read_and_their_answers_are_not(loaded: LoadedModel) -> None:
    earlier = (("P1: x≤3. What is 3×2?", "3×2"),)
    answer, given = answered(loaded, Request("Is x−3≤0?", earlier=earlier))
    expected = loaded.tokenizer.encode_prompt("Is x - 3 <= 0?", (("P1: x <= 3. What is 3 * 2?", "3×2"),))
    assert given == loaded.tokenizer.decode(expected)
    assert answer.steps[0].verdict.status == "valid"
    assert answer.receipt.read_as == "Is x - 3 <= 0?"


def test_a_scored_prompt_and_token_ids_are_taken_as_they_are(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, RESPONSE)
    ids = tuple(loaded.tokenizer.encode_text(ASKED))
    for request in (Request(ASKED, sampling=Sampling(prompt_logprobs=1)), Request("", prompt_ids=ids)):
        prepared = engine.prepare(request)
        assert prepared.ids == loaded.tokenizer.encode_prompt(ASKED)
        assert prepared.request.read_as is None
        assert prepared.request.context == Context.from_prompt(ASKED)


def test_the_facts_that_were_read_are_no_own_facts(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, RESPONSE)
    assert _is_calibrated_kind(engine.prepare(Request(ASKED, Budget())).request)
    own = Request(ASKED, Budget(), context=Context(facts={"P1": "x > 3"}))
    assert not _is_calibrated_kind(engine.prepare(own).request)


@pytest.mark.parametrize(("text", "is_read_as_it_stands"), [(ASKED, False), (READ, True)])
def test_what_is_not_read_as_in_calibration_is_of_another_kind(
    loaded: LoadedModel, text: str, is_read_as_it_stands: bool
) -> None:
    engine, _ = reciting(loaded, RESPONSE)
    ids = tuple(loaded.tokenizer.encode_text(text))
    scored = Sampling(prompt_logprobs=1)
    for request in (
        Request(text, sampling=scored),
        Request("", prompt_ids=ids),
        Request("", Budget(), scored, prompt_ids=ids),
    ):
        assert _is_calibrated_kind(engine.prepare(request).request) == is_read_as_it_stands


def test_an_explained_generation_shows_what_was_read(loaded: LoadedModel) -> None:
    from tuili.engine import Generation

    ids, prompt = loaded.tokenizer.encode_example("", RESPONSE)
    generation = Generation(RESPONSE, ids[prompt:], [3] * len(ids[prompt:]), "end", {})
    answer = explain(ASKED, generation, loaded.tokenizer, Context.from_prompt(READ))
    assert answer.receipt.read_as == READ
    assert answer.receipt.tokens["prompt"] == len(loaded.tokenizer.encode_prompt(READ))
