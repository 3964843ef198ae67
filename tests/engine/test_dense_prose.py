"""Imported models of random weights in the engine: chats as transformers generates them, turns, budgets, streams."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.store.dense_folders import save_dense
from tuili.engine import (
    Answered,
    Budget,
    Engine,
    Event,
    Outcome,
    Request,
    Sampling,
    TokenWritten,
    load_decoder,
    load_engine,
)
from tuili.errors import InputError, Overloaded

CHATS = (
    (("user", "What is 12 + 30?"),),
    (("system", "Be brief."), ("user", "你好，世界 🙂 é")),
    (("user", "Hello"), ("assistant", "Hi – there"), ("user", "<think> or not?")),
)


def messages(chat: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], ...]:
    return tuple({"role": role, "content": text} for role, text in chat)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model", "qwen3", vocab_size=384)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return load_engine(folder, numbers="fp32", slots=4)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def generated(theirs: tuple[Any, Any], ids: list[int], new: int) -> list[int]:
    model, _ = theirs
    with torch.inference_mode():
        found = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=new, pad_token_id=0)
    tokens: list[int] = found[0, len(ids) :].tolist()
    return tokens


@pytest.mark.parametrize("chat", CHATS)
def test_chats_are_gone_on_with_as_transformers_does(engine: Engine, theirs: tuple[Any, Any], chat: Any):
    model, tokenizer = theirs
    ids = tokenizer.apply_chat_template(list(messages(chat)), add_generation_prompt=True, return_dict=False)
    ticket = engine.admit(Request("", Budget(max_tokens=24), messages=messages(chat)))
    while ticket.answer is None:
        engine.step()
    assert ticket.sequence.prompt == ids
    assert ticket.sequence.tokens == generated(theirs, ids, 24)
    shown = [token for token in ticket.sequence.tokens if token not in tokenizer.all_special_ids]
    assert ticket.answer.answer == tokenizer.decode(shown, clean_up_tokenization_spaces=False)
    assert ticket.answer.receipt.mean_depth == model.config.num_hidden_layers


def test_texts_are_gone_on_with_as_transformers_does(engine: Engine, theirs: tuple[Any, Any]):
    _, tokenizer = theirs
    ids = tokenizer.encode("The quick brown")
    for request in (Request("The quick brown", continues=True), Request("", prompt_ids=tuple(ids))):
        ticket = engine.admit(Request(**{**vars(request), "budget": Budget(max_tokens=12)}))
        while ticket.answer is None:
            engine.step()
        assert (ticket.sequence.prompt, ticket.sequence.tokens) == (ids, generated(theirs, ids, 12))
        assert ticket.answer.prompt == "The quick brown"


def test_a_decoder_writes_what_transformers_does(folder: Path, theirs: tuple[Any, Any]):
    decoder, tokenizer = load_decoder(folder, max_new_tokens=12, batch_size=2, numbers="fp32"), theirs[1]
    prompts = ["What is 12 + 30?", "你好 🙂", "The quick brown fox"]
    for prompt, written in zip(prompts, decoder.generate(prompts), strict=True):
        chat = [{"role": "user", "content": prompt}]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert written.tokens == generated(theirs, ids, 12)


def test_a_conversation_reuses_its_beginning(folder: Path):
    """The keys and values of the turns before are taken over, and the answer is the one without them."""
    first = messages((("system", "Answer each question in one short sentence."), ("user", "What is 12 + 30?")))
    budget = Budget(max_tokens=16)
    talker, forgetful = (load_engine(folder, numbers="fp32", slots=1, prefix_cache_bytes=n) for n in (2**24, 0))
    (answer,) = talker.answer([Request("", budget, messages=first)])
    then = (*first, {"role": "assistant", "content": answer.answer}, {"role": "user", "content": "And 3 + 4?"})
    (again,) = talker.answer([Request("", budget, messages=then)])
    (anew,) = forgetful.answer([Request("", budget, messages=then)])
    assert again.receipt.reused >= answer.receipt.tokens["prompt"] - 2 > 16
    assert anew.receipt.reused == 0
    assert again.answer == anew.answer


@pytest.mark.parametrize("seed", range(4))
def test_what_is_streamed_is_the_whole(engine: Engine, seed: int):
    """Random tokens are often parts of characters."""
    sampling = Sampling(temperature=1.5, seed=seed, stop=("é", "zz"))
    events = list[Event]()
    engine.admit(Request("你好 🙂", Budget(max_tokens=60), sampling), events.append)
    while engine.busy:
        engine.step()
    (last,) = [event for event in events if isinstance(event, Answered)]
    assert "".join(event.answer for event in events if isinstance(event, TokenWritten)) == last.answer.answer
    assert last.answer.receipt.tokens["generated"] == sum(isinstance(event, TokenWritten) for event in events)


def test_log_probabilities_of_prose(engine: Engine, theirs: tuple[Any, Any]):
    model, tokenizer = theirs
    sampling = Sampling(logprobs=2, prompt_logprobs=0)
    (answer,) = engine.answer([Request("What is 12", Budget(max_tokens=5), sampling, continues=True)])
    assert answer.logprobs is not None
    assert answer.prompt_logprobs is not None
    ids = tokenizer.encode("What is 12")
    written = generated(theirs, ids, 5)
    with torch.inference_mode():
        logprobs_TV = model(torch.tensor([ids + written])).logits[0].log_softmax(-1)
    expected = [logprobs_TV[place, token].item() for place, token in enumerate((ids + written)[1:])]
    given = [token.logprob for token in (*answer.prompt_logprobs, *answer.logprobs)]
    assert given[0] is None
    assert given[1:] == pytest.approx(expected, abs=1e-3)
    assert b"".join(token.data for token in answer.logprobs).decode(errors="replace") == answer.answer


def test_a_cancelled_request_ends_at_once(engine: Engine):
    ticket, other = engine.admit(Request("a", Budget(max_tokens=50))), engine.admit(Request("b", Budget(max_tokens=5)))
    for _ in range(4):
        engine.step()
    engine.cancel(ticket)
    assert ticket.answer is not None
    assert ticket.answer.receipt.outcome is Outcome.CANCELLED
    while other.answer is None:
        engine.step()
    engine.check()


def test_no_budget_is_overrun(engine: Engine):
    random, texts = Random(5), ("What is 12 + 30?", "你好 🙂", "Tell me", "x " * 60)
    overruns = refused = 0
    for _ in range(150):
        budget = Budget(
            max_steps=random.choice((1, 2, 3)),
            max_tokens=random.randint(1, 40),
            max_layer_steps=random.choice((None, random.randint(1, 160))),
            deadline_ms=random.choice((None, None, random.uniform(1, 200))),
        )
        sampling = Sampling(temperature=random.choice((0.0, 1.0)), seed=random.randrange(9))
        try:
            (answer,) = engine.answer([Request(random.choice(texts), budget, sampling)])
        except (InputError, Overloaded):
            refused += 1
            continue
        receipt = answer.receipt
        overruns += receipt.tokens["generated"] > budget.max_tokens or receipt.attempts > budget.max_steps
        overruns += budget.max_layer_steps is not None and receipt.layer_steps > budget.max_layer_steps
        assert receipt.outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT, Outcome.ABSTAINED)
    assert overruns == 0
    assert refused < 75
    engine.check()
