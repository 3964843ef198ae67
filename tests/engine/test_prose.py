"""Requests to models that write prose: messages reach the template, and what is written is the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.reciting import reciting
from tests.engine.reciting_prose import foreign, reciting_prose
from tests.engine.scripted import ScriptedRunner
from tuili.engine import (
    Answer,
    Answered,
    Budget,
    Engine,
    Event,
    NotPromised,
    Outcome,
    Promises,
    Request,
    Sampling,
    Scheduler,
    StepJudged,
    TokenWritten,
)
from tuili.errors import InputError, PromptError, PromptTooLong
from tuili.model import LoadedModel

PARIS = " The capital of France is Paris. 你好 🙂\n\nAnything else?"
THOUGHT = "<think>\n12 + 30 = 42\nSo it is clear.\n</think>\n\nIt is 42."
WRONG = "<think>\n12 + 30 = 43\n</think>\n\nIt is 43."


def answered(request: Request, *texts: str, **options: Any) -> Answer:
    (answer,) = reciting_prose(*texts, **options)[0].answer([request])
    return answer


def streamed(request: Request, *texts: str, **options: Any) -> tuple[list[Event], Answer]:
    engine, _ = reciting_prose(*texts, **options)
    events = list[Event]()
    engine.admit(request, events.append)
    while engine.busy:
        engine.step()
    last = events[-1]
    assert isinstance(last, Answered)
    return events, last.answer


@pytest.mark.parametrize("kind", ["chatml", "thinking", "headers", "no template"])
def test_prose_is_the_answer_as_it_was_written(kind: str):
    answer = answered(Request("What is the capital of France?"), PARIS, kind=kind)
    receipt = answer.receipt
    assert answer.answer == PARIS
    assert (receipt.outcome, receipt.reason, receipt.stop, receipt.confidence) == (Outcome.ANSWERED, "", "end", None)
    assert (answer.steps, receipt.checked, receipt.unused) == ((), {}, ())
    assert receipt.tokens["reasoning"] == 0
    assert receipt.tokens["answer"] == receipt.tokens["generated"] > 10
    assert (receipt.attempts, receipt.layer_steps) == (1, receipt.tokens["generated"])


def test_thinking_is_reasoning_and_its_lines_are_steps():
    answer = answered(Request("What is 12 + 30?"), THOUGHT)
    assert answer.answer == "It is 42."
    assert [(step.text, str(step.verdict.status)) for step in answer.steps] == [
        ("12 + 30 = 42", "valid"),
        ("So it is clear.", "unsupported"),
    ]
    assert answer.receipt.outcome is Outcome.ANSWERED
    assert answer.receipt.checked == {"valid": 1, "unsupported": 1}
    tokenizer = foreign("thinking")
    assert answer.receipt.tokens["answer"] == 1 + len(tokenizer.encode_text("It is 42."))
    assert answer.steps[0].depth == 1
    assert "".join(text for text, _ in answer.steps[0].pieces) == "12 + 30 = 42"


def test_thinking_that_the_prompt_has_opened():
    tokenizer = foreign("thinking")
    ids = (*tokenizer.encode_text("2 + 2?"), tokenizer.backend.token_to_id("<think>"), *tokenizer.encode_text("\n"))
    answer = answered(Request("", prompt_ids=ids), "2 + 2 = 4\n</think>\n\n4")
    assert (answer.answer, [step.text for step in answer.steps]) == ("4", ["2 + 2 = 4"])


def test_a_wrong_step_of_thinking_is_put_right():
    engine, sequences = reciting_prose(WRONG, "</think>\n\nIt is 42.")
    (answer,) = engine.answer([Request("What is 12 + 30?", Budget(max_steps=2))])
    tokenizer = foreign("thinking")
    assert (answer.answer, answer.receipt.attempts) == ("It is 42.", 2)
    assert [(step.text, step.corrected) for step in answer.steps] == [("12 + 30 = 42", True)]
    behind = tokenizer.decode(sequences[1].prompt[len(sequences[0].prompt) :])
    assert behind == "<think>\n12 + 30 = 42\n"
    assert sequences[1].prompt[len(sequences[0].prompt)] == tokenizer.backend.token_to_id("<think>")
    only = answered(Request("What is 12 + 30?"), WRONG)
    assert (only.answer, only.receipt.outcome) == ("It is 43.", Outcome.BEST_EFFORT)


def test_messages_reach_the_template_unchanged():
    engine, sequences = reciting_prose("Yes.", kind="chatml")
    messages = (
        {"role": "system", "content": "Be 简短, 3×4 = ?"},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "48×27=?"},
    )
    (answer,) = engine.answer([Request("", messages=messages)])
    expected = "".join(f"<|im_start|>{each['role']}\n{each['content']}<|im_end|>\n" for each in messages)
    assert foreign("chatml").decode(sequences[0].prompt) == f"{expected}<|im_start|>assistant\n"
    assert (answer.prompt, answer.receipt.read_as) == ("48×27=?", None)


def test_thinking_is_left_out_where_the_template_can():
    engine, sequences = reciting_prose("4", "4")
    engine.answer([Request("2 + 2?", thinks=False), Request("2 + 2?")])
    tokenizer = foreign("thinking")
    tails = [tokenizer.decode(sequence.prompt).partition("assistant\n")[2] for sequence in sequences]
    assert tails == ["<think>\n\n</think>\n\n", ""]


def test_turns_become_messages():
    engine, sequences = reciting_prose("Yes.", kind="headers")
    engine.answer([Request("b", earlier=(("a", "x"),))])
    tokenizer = foreign("headers")
    chat = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "x"), ("user", "b"))]
    assert sequences[0].prompt == tokenizer.encode_chat(chat)


def test_a_text_is_gone_on_with():
    engine, sequences = reciting_prose(" a time.", " x", kind="headers")
    tokenizer = foreign("headers")
    (answer,) = engine.answer([Request("Once upon<|eot_id|>", continues=True)])
    assert answer.answer == " a time."
    assert tokenizer.decode(sequences[0].prompt) == "<|begin_of_text|>Once upon<|eot_id|>"
    assert tokenizer.end_id not in sequences[0].prompt
    ids = tuple(tokenizer.encode_text("Once"))
    (answer,) = engine.answer([Request("", prompt_ids=ids)])
    assert (sequences[1].prompt, answer.prompt) == (list(ids), "Once")


def test_cut_prose_is_given_as_it_stands():
    for budget, stop in ((Budget(max_tokens=5, max_steps=4), "length"), (Budget(max_layer_steps=5), "layer_steps")):
        answer = answered(Request("Capital?", budget), PARIS)
        assert PARIS.startswith(answer.answer)
        assert answer.answer
        receipt = answer.receipt
        assert (receipt.outcome, receipt.stop, receipt.attempts) == (Outcome.BEST_EFFORT, stop, 1)
        assert receipt.reason == "a limit has cut the answer off"
        assert receipt.tokens["generated"] == receipt.layer_steps == 5


def test_thinking_that_is_cut_is_no_answer():
    answer = answered(Request("What is 12 + 30?", Budget(max_tokens=6)), THOUGHT)
    assert (answer.answer, answer.receipt.outcome) == ("", Outcome.ABSTAINED)
    assert answer.receipt.reason == "the response has no whole answer (it ended by length)"


def test_silence_is_no_answer_and_is_asked_again():
    answer = answered(Request("Capital?", Budget(max_steps=2)), "", "Paris.")
    assert (answer.answer, answer.receipt.attempts) == ("Paris.", 2)
    assert answered(Request("Capital?"), " \n").receipt.outcome is Outcome.ABSTAINED


def test_stop_texts_end_prose():
    answer = answered(Request("Capital?", sampling=Sampling(stop=("Paris", "你"))), PARIS)
    assert (answer.answer, answer.receipt.stop) == (" The capital of France is ", "stop")
    assert answer.receipt.outcome is Outcome.ANSWERED


def test_nothing_is_promised():
    engine, _ = reciting_prose(PARIS)
    with pytest.raises(NotPromised, match="nothing is promised about this model: it has not been calibrated"):
        engine.admit(Request("Capital?", Budget(error_tolerance=0.1)))


def test_no_claim_is_looked_for():
    """Nor is an answer that sounds like one to a claim taken for one."""
    for prompt in ("Prove that 2 + 2 = 4.", "Is 7 > 3?", "Is it true?"):
        answer = answered(Request(prompt), "True")
        assert (answer.receipt.proof, answer.receipt.trial, answer.receipt.outcome) == (None, None, Outcome.ANSWERED)


@pytest.mark.parametrize("text", [PARIS, THOUGHT, WRONG, "<thin", " <think> x", "🙂", "<think>\nx\n</think> y"])
@pytest.mark.parametrize("stop", [(), ("is", "\n\nA")])
def test_what_is_streamed_is_the_whole(text: str, stop: tuple[str, ...]):
    request = Request("What is 12 + 30?", sampling=Sampling(stop=stop))
    events, answer = streamed(request, text)
    tokens = [event for event in events if isinstance(event, TokenWritten)]
    steps = [event for event in events if isinstance(event, StepJudged)]
    assert [event.text for event in steps] == [step.text for step in answer.steps]
    told = "".join(event.answer for event in tokens)
    assert told == ("" if "invalid" in answer.receipt.checked else answer.answer)
    thought = "".join(event.thought or "" for event in tokens)
    assert [line.strip() for line in thought.splitlines() if line.strip()] == [step.text for step in answer.steps]


@given(st.lists(st.sampled_from(["12 + 30 = 42", "\n", "<think>", "</think>", "1 = 2", "é🙂", "</", " "]), max_size=10))
def test_streams_of_any_pieces_are_the_whole(pieces: list[str]):
    events, answer = streamed(Request("What is 12 + 30?"), "".join(pieces))
    told = "".join(event.answer for event in events if isinstance(event, TokenWritten))
    if answer.answer and "invalid" not in answer.receipt.checked:
        assert told == answer.answer
    assert [event.text for event in events if isinstance(event, StepJudged)] == [step.text for step in answer.steps]


def test_what_was_told_of_an_answer_stays():
    """Of an attempt with a wrong step nothing is told: another attempt may take its place."""
    for texts in ((WRONG, "</think>\n\nIt is 42."), (WRONG, "</think>\n\n"), (WRONG, WRONG), ("", PARIS)):
        events, answer = streamed(Request("What is 12 + 30?", Budget(max_steps=2)), *texts)
        told = "".join(event.answer for event in events if isinstance(event, TokenWritten))
        assert answer.answer.startswith(told), texts


def test_log_probabilities_are_those_of_the_answer():
    engine, _ = reciting_prose(THOUGHT)
    assert engine.prose
    prepared = engine.prepare(Request("Once upon", continues=True, sampling=Sampling(prompt_logprobs=0)))
    assert (prepared.question.start, prepared.question.stop) == (0, len(prepared.ids))
    begun = reciting_prose(PARIS, kind="headers")[0].prepare(Request("Once", continues=True))
    assert begun.question.start == 1


@pytest.mark.parametrize(
    ("request_", "error", "reason"),
    [
        (Request(" "), PromptError, "the prompt is empty"),
        (Request("\udcff"), PromptError, "not UTF-8"),
        (Request("x" * 100_000), PromptTooLong, "context"),
        (Request("你 " * 400), PromptTooLong, "tokens: the model's context takes at most 511"),
        (Request("", prompt_ids=()), PromptError, "no token ids"),
        (Request("", prompt_ids=(10**6,)), PromptError, "there is no token 1000000"),
        (Request("", messages=({"role": "user"},)), PromptError, "empty"),
        (Request("x", writes=False), InputError, "writes: neither"),
    ],
)
def test_what_cannot_be_read_is_refused(request_: Request, error: type[Exception], reason: str):
    with pytest.raises(error, match=reason):
        reciting_prose(PARIS)[0].prepare(request_)


@pytest.mark.parametrize("field", ["messages", "tools", "thinks", "continues"])
def test_models_of_steps_are_not_asked_like_this(loaded: LoadedModel, field: str):
    engine, _ = reciting(loaded, "<think>\n1 = 1\n</think>1")
    assert not engine.prose
    value = {"continues": True, "thinks": False}.get(field, ({"role": "user", "content": "x"},))
    with pytest.raises(InputError, match=f"{field}: only imported models"):
        engine.prepare(replace(Request("x"), **{field: value}))


def test_all_end_tokens_end_a_response():
    tokenizer = foreign("thinking")
    other = replace(tokenizer, end_ids=(tokenizer.end_id, tokenizer.backend.token_to_id("y") or 0))
    script = iter([*tokenizer.encode_text("x"), other.end_ids[1], 0])
    runner = ScriptedRunner(lambda _: next(script), other.end_id)
    (answer,) = Engine(Scheduler.of(runner, other), other, Promises(None)).answer([Request("?")])
    assert (answer.receipt.stop, answer.receipt.tokens["generated"]) == ("end", 2)
