"""The log-probabilities of prompts are those of the model's forward pass at full depth, however they are read; and what
is asked in token ids is what is asked in text.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.harness.tiny import randomize_weights, tiny_model
from tests.engine.runtime.steps import Kind, scheduler_of
from tuili.engine.answer import Answer, Outcome
from tuili.engine.engine import Engine
from tuili.engine.promises.promises import Promises
from tuili.engine.request import Budget, Request, Sampling
from tuili.errors import InputError, PromptError
from tuili.model import LoadedModel
from tuili.store import ASSISTANT, BEGIN, USER

TEXTS = ["What is 48 / 2 + 7?", "P1: x = 3. Q1: x > 2?", "Was ist 7 mal 8, größer als 50?", "7", "What is 48 / 2 + 9?"]
SCORED = Sampling(logprobs=2, prompt_logprobs=3)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    model, tokenizer = tiny_model(top_units=2, window=4, max_unit=4)
    return LoadedModel(randomize_weights(model).eval(), tokenizer, Path())


def engine_for(loaded: LoadedModel, chunk: int = 256, slots: int = 4, kind: Kind = "native") -> Engine:
    scheduler = scheduler_of(kind, loaded.model, loaded.tokenizer, slots=slots, chunk=chunk)
    return Engine(scheduler, loaded.tokenizer, Promises(None))


def by_hand(loaded: LoadedModel, ids: list[int], first: int) -> list[tuple[float, set[int]]]:
    """The log-probability of every token from `first` on, and the three likeliest ones at its place."""
    with torch.inference_mode():
        log_TV = loaded.model(torch.tensor([ids]), use_cache=False).logits[0].double().log_softmax(-1)
    rows = [log_TV[place - 1] for place in range(first, len(ids))]
    return [
        (float(row[token]), set(row.topk(3).indices.tolist())) for row, token in zip(rows, ids[first:], strict=True)
    ]


def compare(loaded: LoadedModel, answer: Answer, ids: list[int], first: int) -> None:
    tokenizer, told = loaded.tokenizer, answer.prompt_logprobs
    assert told is not None
    unscored = [token for token in told if token.logprob is None]
    expected = by_hand(loaded, ids, first + len(unscored))
    assert len(unscored) == (1 if first == 0 else 0), "nothing stands before the very first token alone"
    assert [token.data for token in told] == [tokenizer.token_bytes(token) for token in ids[first:]]
    assert [token.logprob for token in told[len(unscored) :]] == pytest.approx([one for one, _ in expected], abs=1e-3)
    for token, (_, best) in zip(told[len(unscored) :], expected, strict=True):
        assert {data for data, _ in token.top} == {tokenizer.token_bytes(one) for one in best}


@pytest.mark.parametrize(
    ("kind", "chunk", "slots"), [*(("native", *sizes) for sizes in ((256, 5), (7, 2), (1, 1))), ("torch", 7, 2)]
)
def test_scores_are_those_of_the_model(loaded: LoadedModel, kind: Kind, chunk: int, slots: int) -> None:
    """Together with answers, in pieces, and behind prompts that begin alike."""
    engine = engine_for(loaded, chunk, slots, kind)
    asked = [Request(text, Budget(max_tokens=6), SCORED) for text in TEXTS]
    plain = [replace(request, sampling=Sampling(logprobs=2)) for request in asked]
    only_read = [replace(request, writes=False) for request in asked]
    *scored, again = engine.answer([*asked, asked[0]])
    for text, answer, alone, unwritten in zip(
        TEXTS, scored, engine.answer(plain), engine.answer(only_read), strict=True
    ):
        ids = loaded.tokenizer.encode_prompt(text)[:-1]
        for one in (answer, unwritten):
            compare(loaded, one, ids, 2)
        assert answer.logprobs
        assert alone.logprobs
        assert [token.data for token in answer.logprobs] == [token.data for token in alone.logprobs]
        assert answer.receipt.layer_steps == alone.receipt.layer_steps + unwritten.receipt.layer_steps
        assert unwritten.receipt.layer_steps == 4 * (len(ids) - 1)
        receipt = unwritten.receipt
        assert (receipt.attempts, receipt.tokens["generated"], receipt.stop) == (0, 0, "length")
        assert (receipt.outcome, receipt.reason) == (Outcome.ABSTAINED, "no answer was asked for")
        assert alone.prompt_logprobs is None
    compare(loaded, again, loaded.tokenizer.encode_prompt(TEXTS[0])[:-1], 2)
    engine.check()


def test_ids_are_read_as_a_question_or_as_they_are(loaded: LoadedModel) -> None:
    tokenizer, engine = loaded.tokenizer, engine_for(loaded)
    begin, user, assistant, end = (tokenizer.token_id(name) for name in (BEGIN, USER, ASSISTANT, "<|end|>"))
    text = tokenizer.encode_text(TEXTS[1])
    whole = [begin, user, *tokenizer.encode_text("P9: x = 1."), assistant, *text, end, user, *text, assistant, 90, 91]
    for given, read, first in [(text, [begin, user, *text], 2), (whole, whole, 0), ([0, 0], [begin, user, 0, 0], 2)]:
        request = Request("", Budget(max_tokens=1), SCORED, prompt_ids=tuple(given))
        prepared, (answer,) = engine.prepare(request), engine.answer([request])
        compare(loaded, answer, read, first)
        assert answer.prompt == tokenizer.decode(given)
        assert prepared.ids == (read if first == 0 else [*read, assistant])
        assert (prepared.request.prompt_ids is None) == (given is text), "what has another text is no such question"
        if given is not text:
            continue
        assert prepared.request == engine.prepare(Request(TEXTS[1], Budget(max_tokens=1), SCORED)).request
    context, alone = (
        engine.prepare(request).request.context for request in (Request("", prompt_ids=tuple(whole)), Request(TEXTS[1]))
    )
    assert (context.facts, context.unlabelled) == (alone.facts, alone.unlabelled), "those of the last question alone"
    assert context.protected > alone.protected, "what stands before it gives nothing, and may not be defined at will"


def test_what_cannot_be_read_or_scored_is_refused(loaded: LoadedModel) -> None:
    engine, size, begin = engine_for(loaded), loaded.tokenizer.size, loaded.tokenizer.token_id(BEGIN)
    for ids, message in [
        ((), "the prompt is empty"),
        ((begin,), "the prompt is empty"),
        ((5, size), f"there is no token {size}: the vocabulary has ids from 0 to {size - 1}"),
        ((-1,), "there is no token -1"),
        ((90,) * 510, "at most 511"),
        ((begin,) * 512, "at most 511"),
        ((*loaded.tokenizer.encode_text(" \n"),), "write a question"),
    ]:
        with pytest.raises(PromptError, match=message):
            engine.admit(Request("", prompt_ids=ids))
    for request, message in [
        (Request("7", writes=False), "neither an answer nor log-probabilities"),
        (Request("7", Budget(deadline_ms=1e6), SCORED), "deadline_ms: log-probabilities of a prompt"),
        (Request("7", Budget(max_layer_steps=1000), SCORED), "max_layer_steps: log-probabilities"),
        (Request("7", sampling=SCORED, depth=7), "depth 7 is no exit"),
    ]:
        with pytest.raises(InputError, match=message):
            engine.admit(request)
    assert not engine.busy


def test_a_request_may_be_cancelled_while_its_prompt_is_scored(loaded: LoadedModel) -> None:
    engine = engine_for(loaded, 2)
    ticket = engine.admit(Request(TEXTS[0], sampling=SCORED))
    engine.step()
    engine.cancel(ticket)
    assert ticket.answer is not None
    assert (ticket.answer.receipt.outcome, ticket.answer.prompt_logprobs) == (Outcome.CANCELLED, None)
    engine.check()
    assert not engine.busy
