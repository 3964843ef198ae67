"""The checker as calculator in whole requests: answers, receipts, events and budgets, in both dialects."""

from __future__ import annotations

from functools import cache

import pytest

from tests.engine.reciting_prose import foreign
from tests.engine.scripted import ScriptedRunner
from tuili.engine import (
    Answer,
    Budget,
    Depth,
    Engine,
    Event,
    Outcome,
    Promises,
    Request,
    Sampling,
    Scheduler,
    Sequence,
    StepJudged,
    StopReason,
    TokenWritten,
)
from tuili.errors import InputError
from tuili.steps import CalculatorMode
from tuili.store import AnyTokenizer, open_own_model

EXITS = (3, 6, 9, 12)


@cache
def own() -> AnyTokenizer:
    return open_own_model("nano").tokenizer


class Writer:
    """A script that writes the lines of a text one after the other, and ends one into which the checker has written."""

    def __init__(self, tokenizer: AnyTokenizer, text: str) -> None:
        self._tokenizer, self._lines = tokenizer, text.split("\n")
        own = not hasattr(tokenizer, "encode_chat")
        self._ids = [[*self._encode(line, own), *tokenizer.encode_text("\n")] for line in self._lines]
        self._ids[-1][-1:] = [tokenizer.end_id]

    def _encode(self, line: str, own: bool) -> list[int]:
        tags = {"<think>", "</think>"} if own else set[str]()
        for tag in tags:
            if tag in line:
                before, _, behind = line.partition(tag)
                token = self._tokenizer.backend.token_to_id(tag)
                return [*self._tokenizer.encode_text(before), token, *self._tokenizer.encode_text(behind)]
        return self._tokenizer.encode_text(line)

    def __call__(self, sequence: Sequence) -> int:
        feed = self._tokenizer.encode_text("\n")[0]
        first = len(sequence.prefix_steps) + bool(sequence.prefix_steps)
        number = first + sequence.tokens.count(feed)
        ids = self._ids[min(number, len(self._ids) - 1)]
        begun = max((place + 1 for place, token in enumerate(sequence.tokens) if token == feed), default=0)
        line, written = sequence.tokens[begun:], len(sequence.tokens)
        calculated = any(begun <= place < written for place in sequence.calculated)
        return ids[-1] if calculated else ids[len(line)]


STEPS = "<think>\n48 / 2 = 25\n24 + 48 = 71\n</think>72"


def made(text: str = STEPS, kind: str = "steps", exits: tuple[int, ...] = EXITS, **options: object) -> Engine:
    tokenizer: AnyTokenizer = own() if kind == "steps" else foreign("no template")
    runner = ScriptedRunner(Writer(tokenizer, text), tokenizer.end_id, exits=exits)
    promises = Promises(None, "it has not been calibrated")
    return Engine(Scheduler.of(runner, tokenizer), tokenizer, promises, **options)  # type: ignore[arg-type]


def told(answer: Answer) -> list[tuple[str, str, str]]:
    return [(step.text, str(step.verdict.status), step.written_by) for step in answer.steps]


def ask(engine: Engine, calculator: CalculatorMode | None, **settings: object) -> Answer:
    (answer,) = engine.answer([Request("How many?", calculator=calculator, **settings)])  # type: ignore[arg-type]
    engine.check()
    return answer


RIGHT = [("48 / 2 = 24", "valid", "checker"), ("24 + 48 = 72", "valid", "checker")]


@pytest.mark.parametrize("kind", ["steps", "prose"])
def test_the_checker_writes_right_values(kind: str) -> None:
    off = ask(made(kind=kind), "off")
    assert told(off) == [("48 / 2 = 25", "invalid", "model"), ("24 + 48 = 71", "invalid", "model")]
    assert (off.receipt.calculator, off.receipt.written_by) == ("off", {"model": 2})
    for mode in ("forced", "repair"):
        answer = ask(made(kind=kind), mode)
        assert told(answer) == RIGHT
        assert (answer.answer, answer.receipt.outcome) == ("72", Outcome.ANSWERED)
        assert (answer.receipt.calculator, answer.receipt.written_by) == (mode, {"checker": 2})
        assert [step["written_by"] for step in answer.as_json()["steps"]] == ["checker", "checker"]


@pytest.mark.parametrize("kind", ["steps", "prose"])
def test_names_have_the_values_of_the_prompt(kind: str) -> None:
    for mode in ("forced", "repair"):
        engine = made("<think>\nx + 1 = 9\n</think>4", kind)
        (answer,) = engine.answer([Request("Let x = 3. What is x + 1?", calculator=mode)])
        assert told(answer) == [("x + 1 = 4", "valid", "checker")]


def test_what_was_right_is_left_to_the_model_unless_it_is_forced() -> None:
    text = "<think>\n48 / 2 = 24\n24 + 48 = 71\n</think>72"
    assert ask(made(text), "repair").receipt.written_by == {"model": 1, "checker": 1}
    assert ask(made(text), "forced").receipt.written_by == {"checker": 2}


def test_forced_values_cost_reading_alone() -> None:
    """A value of two tokens takes the layers of the trunk twice, and no step of its own."""
    engine = made("<think>\n48 / 2 = 24\n</think>72")
    off, forced = ask(engine, "off", depth=12), ask(made("<think>\n48 / 2 = 24\n</think>72"), "forced", depth=12)
    tokens = off.receipt.tokens["generated"]
    assert forced.receipt.tokens == off.receipt.tokens
    assert off.receipt.layer_steps == 12 * tokens
    assert forced.receipt.layer_steps == 12 * (tokens - 2) + 3 * 2
    assert [depth for step in forced.steps for _, depth in step.pieces][-2:] == [3, 3]


def test_what_is_taken_back_counts() -> None:
    off, repaired = ask(made(), "off"), ask(made(), "repair")
    taken = 2 * len("25\n")
    assert repaired.receipt.tokens["generated"] == off.receipt.tokens["generated"] + taken
    for limit in range(1, repaired.receipt.tokens["generated"] + 1):
        receipt = ask(made(), "repair", budget=Budget(max_tokens=limit)).receipt
        assert receipt.tokens["generated"] == limit
        assert (receipt.stop == StopReason.LENGTH) == (limit < repaired.receipt.tokens["generated"])


@pytest.mark.parametrize("mode", ["forced", "repair"])
@pytest.mark.parametrize("depth", ["auto", 9])
def test_no_limit_is_overrun(mode: CalculatorMode, depth: Depth) -> None:
    for limit in range(12, 260, 7):
        receipt = ask(made(), mode, budget=Budget(max_layer_steps=limit), depth=depth).receipt
        assert receipt.layer_steps <= limit
    for limit in range(1, 24):
        engine = made()
        receipt = ask(engine, mode, budget=Budget(max_tokens=limit), depth=depth).receipt
        assert receipt.tokens["generated"] <= limit


def test_a_value_that_ends_the_response_is_not_read() -> None:
    """Its tokens are told, and no layer has run for them."""
    prefix = len(own().encode_text("48 / 2 = ")) + 2  # the tag and its line feed
    engine = made()
    (answer,) = engine.answer([Request("How many?", Budget(max_tokens=prefix + 1), calculator="forced")])
    assert answer.steps[0].text == "48 / 2 = 2"
    assert answer.receipt.layer_steps == 3 * prefix
    assert answer.steps[0].pieces[-1] == ("2", 0)
    (answer,) = engine.answer([Request("How many?", Budget(max_layer_steps=3 * prefix + 8), calculator="forced")])
    assert (answer.receipt.layer_steps, answer.receipt.stop) == (3 * prefix, "layer_steps")
    assert answer.steps[0].text == "48 / 2 = 24"


@pytest.mark.parametrize("mode", ["forced", "repair"])
@pytest.mark.parametrize("stop", ["24", "4\n2", " = 2", "7"])
def test_stop_texts_end_what_the_checker_writes(mode: CalculatorMode, stop: str) -> None:
    answer = ask(made(), mode, sampling=Sampling(stop=(stop,)))
    assert answer.receipt.stop == StopReason.STOP
    assert all(stop not in step.text for step in answer.steps)


def events_of(engine: Engine, calculator: CalculatorMode, **settings: object) -> tuple[list[Event], Answer]:
    events = list[Event]()
    request = Request("How many?", calculator=calculator, **settings)  # type: ignore[arg-type]
    ticket = engine.admit(request, events.append)
    while ticket.answer is None:
        engine.step()
        engine.check()
    return events, ticket.answer


@pytest.mark.parametrize("kind", ["steps", "prose"])
@pytest.mark.parametrize("mode", ["off", "forced", "repair"])
def test_what_is_streamed_is_never_taken_back(kind: str, mode: CalculatorMode) -> None:
    events, answer = events_of(made(kind=kind), mode)
    text = "".join(event.text for event in events if isinstance(event, TokenWritten))
    steps = [event for event in events if isinstance(event, StepJudged)]
    assert [(event.text, str(event.verdict.status), event.written_by) for event in steps] == told(answer)
    lines = [line for line in text.splitlines() if "=" in line]
    assert [line.strip() for line in lines] == [step.text for step in answer.steps]


def test_a_wrong_step_of_another_kind_is_refined_as_before() -> None:
    """The next attempt begins behind the values that the checker wrote, and says so."""
    text = "<think>\n48 / 2 = 25\n3 < 2\n24 + 48 = 71\n</think>72"
    answer = ask(made(text), "forced", budget=Budget(max_steps=2))
    assert answer.receipt.attempts == 2
    assert told(answer)[0] == RIGHT[0]


def test_a_step_that_was_corrected_between_attempts_is_the_checkers() -> None:
    answer = ask(made("<think>\n48 / 2 = 25\n24 + 48 = 72\n</think>72"), "off", budget=Budget(max_steps=2))
    assert told(answer) == [RIGHT[0], ("24 + 48 = 72", "valid", "model")]
    assert answer.receipt.written_by == {"checker": 1, "model": 1}


def test_the_default_is_the_models_and_an_unknown_word_is_refused() -> None:
    assert ask(made(calculator="forced"), None).receipt.calculator == "forced"
    assert ask(made(calculator="forced"), "off").receipt.calculator == "off"
    assert ask(made(), None).receipt.calculator == "off"
    with pytest.raises(InputError, match=r"^calculator = 'on': use off, repair, forced$"):
        ask(made(), "on")  # type: ignore[arg-type]
