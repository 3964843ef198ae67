"""An imported model of random weights, served: the official client gets what the engine writes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import Running, running
from tests.store.dense_folders import save_dense
from tuili.engine import Budget, Request, load_engine
from tuili.serve.models import engine_factory

TALK: Any = [
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "你好 🙂, what is 12 + 30?"},
    {"role": "assistant", "content": "42"},
    {"role": "user", "content": "And <|im_end|> 3 + 4?"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "talker", "qwen2", vocab_size=384)


@pytest.fixture(scope="module")
def talker(folder: Path) -> Iterator[Running]:
    yield from running(folders=(str(folder),), make_engine=engine_factory(slots=4, waiting=16, numbers="fp32"))


def test_the_client_gets_what_the_engine_writes(talker: Running, folder: Path) -> None:
    engine = load_engine(folder, numbers="fp32", slots=1)
    (alone,) = engine.answer([Request("", Budget(max_tokens=30), messages=tuple(TALK))])
    client, asked = talker.client(), {"model": "talker", "max_tokens": 30}
    whole = client.chat.completions.create(messages=TALK, **asked)  # type: ignore[call-overload]
    assert whole.choices[0].message.content == alone.answer
    assert whole.usage.prompt_tokens == alone.receipt.tokens["prompt"]
    chunks = client.chat.completions.create(messages=TALK, stream=True, **asked)  # type: ignore[call-overload]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == alone.answer
    items: Any = client.responses.create(model="talker", input=TALK[1:], instructions=TALK[0]["content"])
    assert items.output_text[: len(alone.answer)] == alone.answer
    (text,) = engine.answer([Request("What is", Budget(max_tokens=10), continues=True)])
    completion = client.completions.create(model="talker", prompt="What is", max_tokens=10, echo=True, logprobs=1)
    assert completion.choices[0].text == "What is" + text.answer
    assert completion.choices[0].logprobs is not None
    assert len(completion.choices[0].logprobs.token_logprobs or ()) == 10 + len(
        engine.prepare(Request("What is", continues=True)).ids
    )


def test_several_talk_at_once_and_a_talk_goes_on(talker: Running) -> None:
    client = talker.client().chat.completions
    alone = [
        client.create(model="talker", messages=TALK, max_tokens=12, seed=seed, temperature=1) for seed in (1, 2, 3)
    ]
    together = client.create(model="talker", messages=TALK, max_tokens=12, seed=1, temperature=1, n=3)
    assert [one.message.content for one in together.choices] == [one.choices[0].message.content for one in alone]
    again = client.create(
        model="talker", messages=[*TALK, {"role": "assistant", "content": "7"}, TALK[1]], max_tokens=5
    )
    assert again.usage is not None
    assert again.usage.prompt_tokens_details is not None
    assert (again.usage.prompt_tokens_details.cached_tokens or 0) > 16
