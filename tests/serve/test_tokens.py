"""Tokens over HTTP: log-probabilities of answers and prompts, prompts as token ids, and biases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import torch
from openai.types import CompletionChoice

from tests.serve.conftest import Running, running
from tuili.model import load_model
from tuili.serve.models import engine_factory
from tuili.steps import THINK
from tuili.store import Tokenizer

QUESTION = "What is 48 + 27 * 3?"
ASKED: Any = [{"role": "user", "content": QUESTION}]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load_model("nano").tokenizer


@pytest.fixture(scope="module")
def exact_server() -> Iterator[Running]:
    """A server in fp32, whose log-probabilities are those of the model's own forward pass."""
    yield from running(make_engine=engine_factory(2, 8, numbers="fp32"))


def complete(server: Running, prompt: Any = QUESTION, **more: Any) -> list[CompletionChoice]:
    return server.client().completions.create(model="nano", prompt=prompt, **more).choices


def data_of(token: str) -> bytes:
    """The bytes of a token, by its name: `bytes:` and hexadecimal numbers where they are no whole characters."""
    if token.startswith("bytes:"):
        return bytes.fromhex(token.removeprefix("bytes:").replace("\\x", ""))
    return token.encode()


def check_form(choice: CompletionChoice, most: int) -> None:
    """What holds of all log-probabilities of a completion."""
    told = choice.logprobs
    assert told is not None
    assert told.tokens is not None
    assert told.token_logprobs is not None
    assert told.top_logprobs is not None
    assert told.text_offset is not None
    assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == len(told.text_offset)
    text = b"".join(map(data_of, told.tokens)).decode()
    assert text.startswith(choice.text)
    for token, logprob, top, offset in zip(
        told.tokens, told.token_logprobs, told.top_logprobs, told.text_offset, strict=True
    ):
        assert text[offset:].startswith("" if token.startswith("bytes:") else token)
        if logprob is None:
            assert (top, offset) == (None, 0)
            continue
        assert top[token] == logprob <= 0
        assert max(1, most) <= len(top) <= most + 1, "the token that was chosen may be one more"
        assert sum(map(math.exp, top.values())) <= 1 + 1e-9


def test_logprobs_of_completions_are_those_of_chats(server: Running) -> None:
    chat = server.client().chat.completions.create(model="nano", messages=ASKED, logprobs=True, top_logprobs=4)
    (choice,) = complete(server, logprobs=4)
    check_form(choice, 4)
    assert choice.logprobs is not None
    assert chat.choices[0].logprobs is not None
    content = chat.choices[0].logprobs.content or []
    assert choice.logprobs.tokens == [token.token for token in content]
    assert choice.logprobs.token_logprobs == pytest.approx([token.logprob for token in content], abs=1e-4)
    streamed = server.client().completions.create(model="nano", prompt=QUESTION, logprobs=4, stream=True)
    (chunk,) = [chunk.choices[0] for chunk in streamed if chunk.choices]
    check_form(chunk, 4)
    assert chunk.logprobs is not None
    assert (chunk.text, chunk.logprobs.tokens) == (choice.text, choice.logprobs.tokens)
    (none,) = complete(server, logprobs=0)
    check_form(none, 0)
    assert complete(server)[0].logprobs is None


def test_what_was_written_before_a_cut_has_its_logprobs(server: Running) -> None:
    """That is the beginning of the answer or, where there is none, of the steps."""
    usage = server.client().completions.create(model="nano", prompt=QUESTION).usage
    assert usage is not None
    for tokens in (1, 5, usage.completion_tokens - 2):
        cut = server.client().chat.completions.create(model="nano", messages=ASKED, max_tokens=tokens, logprobs=True)
        logprobs = cut.choices[0].logprobs
        assert cut.choices[0].finish_reason == "length"
        assert logprobs is not None
        content = logprobs.content or []
        written = b"".join(bytes(token.bytes or []) for token in content).decode()
        assert (len(content), written[:7]) == (tokens, THINK) if tokens < 6 else written == "12"
        (choice,) = complete(server, max_tokens=tokens, logprobs=2)
        check_form(choice, 2)
        assert choice.logprobs is not None
        assert ("".join(choice.logprobs.tokens or []), choice.text) == (written, "")


def test_an_answer_that_is_withheld_has_no_logprobs(server: Running) -> None:
    body: Any = {"budget": {"error_tolerance": 0.05, "max_steps": 4}}
    completion = server.client().chat.completions.create(
        model="nano", messages=ASKED, logprobs=True, max_tokens=400, extra_body=body
    )
    assert completion.choices[0].logprobs is not None
    content = "".join(token.token for token in completion.choices[0].logprobs.content or [])
    assert content == (completion.choices[0].message.content or "")


def test_a_prompt_is_echoed_with_its_logprobs(exact_server: Running, tokenizer: Tokenizer) -> None:
    model = load_model("nano").model
    ids = [tokenizer.encode_text(text) for text in (QUESTION, "Größe 7 · 8?")]
    for tokens in (0, 1):
        choices = complete(exact_server, ids, logprobs=1, echo=True, max_tokens=tokens)
        for choice, given in zip(choices, ids, strict=True):
            check_form(choice, 1)
            assert choice.text == tokenizer.decode(given)
            assert choice.finish_reason == "length"
            assert choice.logprobs is not None
            told = choice.logprobs.token_logprobs or []
            assert len(told) == len(given) + tokens
            with torch.inference_mode():
                log_TV = model(torch.tensor([tokenizer.encode_prompt(choice.text)])).logits[0].log_softmax(-1)
            expected = [float(log_TV[place + 1, token]) for place, token in enumerate(given)]
            assert told[0] is None
            assert told[1 : len(given)] == pytest.approx(expected[1:], abs=1e-3)
    (text,) = complete(exact_server, logprobs=1, echo=True, max_tokens=0)
    (same,) = complete(exact_server, ids[0], logprobs=1, echo=True, max_tokens=0)
    assert text.logprobs is not None
    assert same.logprobs is not None
    assert text.logprobs.tokens == same.logprobs.tokens
    (answered,) = complete(exact_server, echo=True)
    assert answered.text == f"{QUESTION}129"


def test_a_response_is_scored_behind_a_whole_prompt(server: Running, tokenizer: Tokenizer) -> None:
    """As lm-eval reads log-likelihoods: without the last token, which is one that was written."""
    context = tokenizer.encode_prompt("What is 2 + 2?")
    scores = []
    for answer in ("4", "5"):
        response, start = tokenizer.encode_example("What is 2 + 2?", f"{THINK}\n2 + 2 = 4\n</think>{answer}")
        assert response[:start] == context
        (choice,) = complete(server, response, logprobs=1, echo=True, max_tokens=1)
        assert choice.logprobs is not None
        scores.append(sum((choice.logprobs.token_logprobs or [])[len(context) : -1]))
    assert scores[0] > scores[1] + 3
    assert choice.text.endswith("5<|end|>")


def test_token_ids_are_the_text_that_they_stand_for(server: Running, tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode_text(QUESTION)
    promised: Any = {"budget": {"error_tolerance": 0.05, "max_steps": 4}, "depth": "auto"}
    for prompt, count in ((ids, 1), ([ids, tokenizer.encode_text("What is 2 + 2?")], 2), ([QUESTION], 1)):
        completion = server.client().completions.create(
            model="nano", prompt=prompt, max_tokens=400, extra_body=promised
        )
        assert [choice.text for choice in completion.choices] == ["129", "4"][:count]
        assert completion.usage is not None
        if count == 1:
            assert completion.usage.prompt_tokens == len(ids) + 3


def test_a_bias_bans_and_forces_tokens(server: Running, tokenizer: Tokenizer) -> None:
    (think,) = [tokenizer.token_id(THINK)]
    for create, asked in (
        (server.client().chat.completions.create, {"messages": ASKED, "logprobs": True}),
        (server.client().completions.create, {"prompt": QUESTION, "logprobs": 0}),
    ):
        untouched: Any = create(model="nano", logit_bias={}, **asked)  # type: ignore[operator]
        assert "129" in untouched.choices[0].model_dump_json()
        forced: Any = create(model="nano", logit_bias={str(think): 100}, max_tokens=3, **asked)  # type: ignore[operator]
        told = forced.choices[0].logprobs
        assert (told.tokens if "prompt" in asked else [one.token for one in told.content]) == [THINK] * 3
        banned: Any = create(model="nano", logit_bias={str(think): -100}, max_tokens=3, **asked)  # type: ignore[operator]
        told = banned.choices[0].logprobs
        assert THINK not in (told.tokens if "prompt" in asked else [one.token for one in told.content])


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"prompt": [5, 10**6]}, "invalid_prompt", "prompt"),
        ({"prompt": [5, -1]}, "invalid_value", "prompt"),
        ({"prompt": [[5], []]}, "invalid_value", "prompt"),
        ({"prompt": ["a", 5]}, "invalid_value", "prompt"),
        ({"prompt": [True]}, "invalid_value", "prompt"),
        ({"prompt": [7] * 5000}, "context_length_exceeded", "prompt"),
        ({"logit_bias": {"99999": 1}}, "invalid_value", "logit_bias"),
        ({"logit_bias": {"5": 101}}, "invalid_value", "logit_bias"),
        ({"logit_bias": {"five": 1}}, "invalid_value", "logit_bias"),
        ({"logit_bias": {"05": 1}}, "invalid_value", "logit_bias"),
        ({"logit_bias": {"5": 1}, "budget": {"error_tolerance": 0.05}}, "not_promised", "budget.error_tolerance"),
        ({"logprobs": 6}, "invalid_value", "logprobs"),
        ({"logprobs": True}, "invalid_value", "logprobs"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"echo": True, "logprobs": 1, "budget": {"deadline_ms": 9000}}, "invalid_value", "budget.deadline_ms"),
        ({"echo": True, "budget": {"max_layer_steps": 9000}}, "invalid_value", "budget.max_layer_steps"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(server: Running, wrong: dict[str, Any], code: str, param: str) -> None:
    body = {"model": "nano", "prompt": QUESTION, **wrong}
    with pytest.raises(openai.BadRequestError) as refused:
        server.client().post("/completions", body=body, cast_to=object)
    assert refused.value.code == code, refused.value
    assert (refused.value.param or "").partition(".")[0] == param.partition(".")[0]
    assert (refused.value.param or "").startswith(param)
