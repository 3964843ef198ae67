"""Requests in, answers out: the control loop keeps to its budget, and the events agree with the answer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.reciting import reciting
from tuili.engine import controller
from tuili.engine.answer import Answer, Outcome
from tuili.engine.conclusion import failure
from tuili.engine.dialects.steps import StepsDialect
from tuili.engine.engine import Engine
from tuili.engine.events import Answered, Event, EventBuilder, StepJudged, TokenWritten
from tuili.engine.promises.confidence import FEATURES, Confidence
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.runtime.load import load_engine
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.engine.text.judging import JudgedChain
from tuili.engine.text.step_reader import StepReader
from tuili.engine.written import parse_tokens
from tuili.errors import InputError, Overloaded, PromptError
from tuili.model import LoadedModel
from tuili.steps import Context, Status

PROMPT = "What is 48 / 2 + 7?"


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    model, tokenizer = tiny_model()
    randomize_weights(model)
    return LoadedModel(model.eval(), tokenizer, Path())


class Indifferent(Promises):
    """Nothing is promised, and every answer has a confidence of one half."""

    @property
    def confidence(self) -> Confidence:
        return Confidence((0.0,) * len(FEATURES), 0.0)


def ask(engine: Engine, steps: int = 8, **budget: float) -> Answer:
    return engine.answer([Request(PROMPT, Budget(max_steps=steps, **budget))])[0]  # type: ignore[arg-type]


def test_a_valid_chain_is_the_answer_after_one_attempt(loaded: LoadedModel) -> None:
    engine, sequences = reciting(loaded, "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31")
    answer = ask(engine)
    assert (answer.answer, answer.receipt.outcome, answer.receipt.attempts) == ("31", Outcome.ANSWERED, 1)
    assert answer.receipt.tokens["generated"] == len(sequences[0].tokens)
    assert answer.receipt.tokens["reasoning"] + answer.receipt.tokens["answer"] == len(sequences[0].tokens)


def test_the_next_attempt_starts_behind_the_step_that_the_checker_corrected(loaded: LoadedModel) -> None:
    engine, sequences = reciting(loaded, "<think>\n48 / 2 = 24\n24 + 7 = 32\n</think>32", "\n</think>31")
    answer = ask(engine)
    assert [step.text for step in answer.steps] == ["48 / 2 = 24", "24 + 7 = 31"]
    assert (answer.answer, answer.receipt.outcome, answer.receipt.attempts) == ("31", Outcome.ANSWERED, 2)
    assert sequences[1].prefix_steps == ("48 / 2 = 24", "24 + 7 = 31")
    assert loaded.tokenizer.decode(sequences[1].prompt).endswith("<think>\n48 / 2 = 24\n24 + 7 = 31\n")
    first, second = sequences
    assert second.prompt[:-4] == (first.prompt + first.tokens)[: len(second.prompt) - 4]
    assert sequences[1].exit_threshold == math.inf, "it runs at full depth"
    assert sequences[1].sampling.temperature == 0.0, "its prompt has the corrected step"
    assert answer.steps[1].depth == 0.0, "no layer ran for it"


def test_facts_of_earlier_questions_hold_and_what_was_answered_is_none(loaded: LoadedModel) -> None:
    earlier = (("P1: A -> B. Is B true?", "P2: A"),)
    steps = "<think>\nA -> B => A -> B\nA => A\n</think>yes"
    engine, _ = reciting(loaded, steps)
    (answer,) = engine.answer([Request("P3: C. Is B true?", earlier=earlier)])
    assert [step.verdict.status is Status.VALID for step in answer.steps] == [True, False]


def test_where_the_checker_cannot_correct_a_step_the_next_attempt_is_sampled(loaded: LoadedModel) -> None:
    facts = Context(facts={"P1": "A -> B", "P2": "C"})
    engine, sequences = reciting(loaded, "<think>\nC, A -> B => B\n</think>yes", "<think>\nC => C\n</think>no")
    answer = engine.answer([Request(PROMPT, Budget(max_steps=2), context=facts)])[0]
    assert (answer.answer, answer.receipt.attempts) == ("no", 2)
    assert (sequences[1].prefix_steps, sequences[1].sampling.temperature) == ((), controller.RESAMPLING_TEMPERATURE)


def test_after_the_last_attempt_the_best_answer_is_given_with_its_shortcoming(loaded: LoadedModel) -> None:
    wrong = "<think>\n48 / 2 = 24\n24 + 7 = 32\n</think>32"
    engine, _ = reciting(loaded, wrong)
    receipt = ask(engine, steps=1).receipt
    assert (receipt.outcome, receipt.attempts) == (Outcome.BEST_EFFORT, 1)
    assert receipt.reason.startswith("step 2 is wrong")


def test_no_answer_at_all_is_an_abstention(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, "<think>\n" + "1 = 1\n" * 40 + "</think>1")
    answer = ask(engine, max_tokens=30)
    assert (answer.answer, answer.receipt.outcome, answer.receipt.stop) == ("", Outcome.ABSTAINED, "length")
    assert "no whole answer (it ended by length)" in answer.receipt.reason
    assert (answer.receipt.tokens["generated"], answer.receipt.attempts) == (30, 1)


def test_attempts_share_the_token_limit_of_a_request(loaded: LoadedModel) -> None:
    wrong = "<think>\nA -> B\n48 / 0 = 2\n</think>2"
    engine, sequences = reciting(loaded, *[wrong, "1 = 2\n</think>3"] * 4)
    receipt = ask(engine, max_tokens=50).receipt
    assert receipt.attempts == len(sequences) >= 3
    assert [sequence.limits.tokens for sequence in sequences] == [
        50 - sum(len(other.tokens) for other in sequences[:place]) for place in range(len(sequences))
    ]
    assert receipt.tokens["generated"] == sum(len(sequence.tokens) for sequence in sequences) <= 50


def test_a_response_cut_within_its_answer_has_no_answer(loaded: LoadedModel) -> None:
    text = "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31"
    engine, sequences = reciting(loaded, text)
    ask(engine)
    engine, _ = reciting(loaded, text)
    answer = ask(engine, max_tokens=len(sequences[0].tokens) - 2)
    assert (answer.answer, answer.receipt.outcome) == ("", Outcome.ABSTAINED)
    assert answer.receipt.reason == "the response has no whole answer (it ended by length)"


def test_a_stop_text_and_what_follows_are_left_out(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31 apples")
    answer = engine.answer([Request(PROMPT, sampling=Sampling(stop=(" a",)))])[0]
    assert (answer.answer, answer.receipt.stop, answer.receipt.outcome) == ("31", "stop", Outcome.ANSWERED)


@pytest.mark.parametrize("stop", [" a", "les", "31 ap", "zzz", "4\n24", "</think>31 apples!"])
def test_events_contain_no_stop_text(loaded: LoadedModel, stop: str) -> None:
    text = "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31 apples"
    engine, _ = reciting(loaded, text)
    events: list[Event] = []
    ticket = engine.admit(Request(PROMPT, sampling=Sampling(stop=(stop,))), events.append)
    while engine.busy:
        engine.step()
    text_shown = "".join(event.text for event in events if isinstance(event, TokenWritten))
    assert text_shown == text.partition(stop)[0], "all text before it, even what begins like a stop text"
    assert ticket.answer is not None
    assert (ticket.answer.receipt.stop == "stop") == (stop in text)
    steps = [event.text for event in events if isinstance(event, StepJudged)]
    assert steps == [step.text for step in ticket.answer.steps]


def test_an_error_while_an_attempt_is_checked_ends_one_request_and_no_other(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    right = "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31"
    engine, _ = reciting(loaded, right, right)

    def judge(dialect: StepsDialect, sequence: Sequence, *rest: Any) -> Any:
        if sequence is broken.sequence:
            raise ValueError("no such thing")
        return judged(dialect, sequence, *rest)

    judged = StepsDialect.check
    monkeypatch.setattr(StepsDialect, "check", judge)
    events: list[Event] = []
    broken, whole = engine.admit(Request(PROMPT), events.append), engine.admit(Request(PROMPT))
    while engine.busy:
        engine.step()
    assert broken.answer is not None
    assert broken.answer.receipt.outcome is Outcome.FAILED
    assert "no such thing" in broken.answer.receipt.reason
    assert broken.answer.receipt.tokens["generated"] == len(broken.sequence.tokens) > 0
    assert [event for event in events if isinstance(event, Answered)] == [Answered(broken.answer)]
    assert whole.answer is not None
    assert whole.answer.receipt.outcome is Outcome.ANSWERED
    assert "a request has failed" in caplog.text


def test_the_receipt_of_a_failure_amid_a_sequence_says_that_it_was_cancelled(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, "<think>\n48 / 2 = 24\n</think>24")
    ticket = engine.admit(Request(PROMPT))
    assert ticket.sequence.stop is None
    receipt = failure(ticket.state, engine._settings, ValueError("no such thing")).receipt
    assert (receipt.outcome, receipt.stop) == (Outcome.FAILED, StopReason.CANCELLED)


@pytest.mark.parametrize("place", ["TokenWritten", "StepJudged"])
def test_an_error_while_events_are_built_ends_one_request_and_no_other(
    loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    right = "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31"
    engine, _ = reciting(loaded, right, right)

    def fail(*_: Any) -> Any:
        raise OverflowError("too much")

    monkeypatch.setattr(f"tuili.engine.events.{place}", fail)
    events: list[Event] = []
    broken, whole = engine.admit(Request(PROMPT), events.append), engine.admit(Request(PROMPT))
    while engine.busy:
        engine.step()
    assert broken.answer is not None
    assert broken.answer.receipt.outcome is Outcome.FAILED
    assert events[-1] == Answered(broken.answer)
    assert whole.answer is not None
    assert whole.answer.receipt.outcome is Outcome.ANSWERED, "it has no listener"


def test_steps_that_no_longer_fit_the_context_end_the_attempts(loaded: LoadedModel) -> None:
    text = "<think>\n10^6 = 1\n</think>1"  # the corrected step, with 1000000 for 1, does not fit the context
    ids, _ = loaded.tokenizer.encode_example(PROMPT, text)
    engine, _ = reciting(loaded, text, context=len(ids))
    receipt = ask(engine).receipt
    assert (receipt.outcome, receipt.attempts) == (Outcome.BEST_EFFORT, 1)


def test_a_listener_may_cancel_and_one_that_fails_stops_no_other_request(loaded: LoadedModel) -> None:
    engine = load_engine(loaded)
    kinds: list[str] = []

    def cancels(event: Event) -> None:
        kinds.append(type(event).__name__)
        if isinstance(event, TokenWritten):
            engine.cancel(ticket)

    def fails(event: Event) -> None:
        raise LookupError("a broken listener")

    ticket = engine.admit(Request(PROMPT, Budget(max_steps=3)), cancels)
    broken, sound = engine.admit(Request(PROMPT), fails), engine.admit(Request(PROMPT))
    with pytest.raises(LookupError):
        engine.step()
    while engine.busy:
        engine.check()
        engine.step()
    assert kinds == ["TokenWritten", "Answered"]
    outcomes = [each.answer.receipt.outcome for each in (ticket, broken, sound) if each.answer]
    assert outcomes[:2] == [Outcome.CANCELLED] * 2
    assert outcomes[2] is not Outcome.CANCELLED


def test_a_request_can_be_cancelled_in_a_later_attempt(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, "<think>\n48 / 2 = 24\n24 + 7 = 32\n</think>32", "\n</think>31")
    ticket = engine.admit(Request(PROMPT, Budget(max_steps=3)))
    while ticket.attempts == 1:
        engine.step()
    engine.cancel(ticket)
    assert ticket.answer is not None
    assert (ticket.answer.answer, ticket.answer.receipt.outcome) == ("", Outcome.CANCELLED)


@given(
    st.lists(st.sampled_from(["1 = 1", "\n", "\r", "<think>", "</think>", "2 = 3", "\u2028", " ", "😀"]), max_size=12)
)
def test_the_steps_of_the_events_are_those_of_the_answer(loaded: LoadedModel, parts: list[str]) -> None:
    tokenizer = loaded.tokenizer
    ids = tokenizer.backend.encode("".join(parts), add_special_tokens=False).ids
    sequence = Sequence([1], SequenceLimits())
    builder, events = EventBuilder(tokenizer, StepReader(), JudgedChain(Context()), 1, ()), list[StepJudged]()
    for place, token in enumerate(ids):
        sequence.tokens.append(token)
        sequence.depths.append(1)
        if place == len(ids) - 1:
            sequence.stop = StopReason.LENGTH
        events += [event for event in builder.new_events(sequence) if isinstance(event, StepJudged)]
    written = parse_tokens(tokenizer, sequence.tokens, sequence.depths, Context())
    assert [(step.text, step.verdict) for step in events] == [(step.text, step.verdict) for step in written.steps]


def test_events_are_the_text_the_steps_and_the_answer(loaded: LoadedModel) -> None:
    engine, _ = reciting(loaded, "<think>\n48 / 2 = 24\n24 + 7 = 32\n</think>32", "\n</think>31")
    events: list[Event] = []
    ticket = engine.admit(Request(PROMPT, Budget(max_steps=3)), events.append)
    while engine.busy:
        engine.step()
    assert events[-1] == Answered(ticket.answer)  # type: ignore[arg-type]
    assert sum(isinstance(event, Answered) for event in events) == 1
    text = "".join(event.text for event in events if isinstance(event, TokenWritten) and event.attempt == 1)
    assert text == "<think>\n48 / 2 = 24\n24 + 7 = 32\n</think>32"
    steps = [(event.number, event.text, str(event.verdict.status)) for event in events if isinstance(event, StepJudged)]
    assert steps == [(1, "48 / 2 = 24", "valid"), (2, "24 + 7 = 32", "invalid")]


def test_bad_requests_are_refused(loaded: LoadedModel) -> None:
    engine = load_engine(loaded, waiting=1)
    for request, kind, message in [
        (Request(" "), PromptError, "empty"),
        (Request("\udcff"), PromptError, "UTF-8"),
        (Request("1 " * 600), PromptError, "at most 511"),
        (Request(PROMPT, depth=7), InputError, "depth 7 is no exit"),
        (Request(PROMPT, Budget(max_layer_steps=1), depth=4), InputError, "max_layer_steps"),
        (Request(PROMPT, Budget(error_tolerance=0.05)), InputError, "has not been calibrated"),
    ]:
        with pytest.raises(kind, match=message):
            engine.admit(request)
    engine.admit(Request(PROMPT))
    with pytest.raises(Overloaded):
        engine.admit(Request(PROMPT))
    engine.check()


def test_an_answer_with_too_little_confidence_is_tried_again(loaded: LoadedModel) -> None:
    right = "<think>\n48 / 2 = 24\n24 + 7 = 31\n</think>31"
    engine, sequences = reciting(loaded, *[right] * 3, promises=Indifferent(None))
    ticket = engine.admit(Request(PROMPT, Budget(max_steps=3)), min_confidence=0.9)
    while ticket.answer is None:
        engine.step()
    answer = ticket.answer
    assert (answer.answer, answer.receipt.outcome, answer.receipt.confidence) == ("31", Outcome.BEST_EFFORT, 0.5)
    assert answer.receipt.reason == "its confidence is 0.500, and 0.900 is needed"
    assert [sequence.sampling.temperature for sequence in sequences] == [
        0.0,
        controller.RESAMPLING_TEMPERATURE,
        controller.RESAMPLING_TEMPERATURE,
    ]
    assert len({sequence.sampling.seed for sequence in sequences}) == 3


def test_a_request_that_is_cancelled_ends_at_once(loaded: LoadedModel) -> None:
    engine = load_engine(loaded, slots=1)
    tickets = [engine.admit(Request(PROMPT, Budget(max_steps=4))) for _ in range(3)]
    engine.step()
    for ticket in (tickets[0], tickets[2]):
        engine.cancel(ticket)
        engine.cancel(ticket)
        engine.check()
        assert ticket.answer is not None
        assert ticket.answer.receipt.outcome is Outcome.CANCELLED
        assert ticket.attempts == 1
    while engine.busy:
        engine.step()
    assert engine.scheduler.stats.ended[StopReason.CANCELLED] == 2


def test_a_seed_gives_the_same_answer_again(loaded: LoadedModel) -> None:
    request = Request(PROMPT, sampling=Sampling(temperature=1.0, seed=5))
    first, second = (written_tokens(loaded, request) for _ in range(2))
    other = written_tokens(loaded, replace(request, sampling=Sampling(temperature=1.0, seed=6)))
    assert first == second != other


def written_tokens(loaded: LoadedModel, request: Request) -> list[int]:
    engine = load_engine(loaded)
    ticket = engine.admit(request)
    while engine.busy:
        engine.step()
    return ticket.sequence.tokens
