"""Models that write prose, behind the API: messages reach their template, and answers are streamed as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.engine.scripted import ScriptedRunner
from tests.serve.conftest import Running, running
from tests.store.foreign_folders import save_tokenizer
from tuili.engine import Engine, Promises, Scheduler, Sequence
from tuili.store import ForeignTokenizer

PROSE = "The capital of France is Paris.\n\n你好 🙂 — 2 < 3!"
THOUGHT = "<think>\n12 + 30 = 42\nThat is all.\n</think>\n\nIt is 42."
WRONG = "<think>\n12 + 30 = 43\n</think>\n\nIt is 43."
ASKED: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of France?"}]
THINKING: Any = [{"role": "user", "content": "Think: what is 12 + 30?"}]
LONG: Any = {"model": "prose", "max_tokens": 200}


def prose_engine(folder: Path) -> Engine:
    """An engine with the tokenizer of a folder, which writes prose, or thinks where the prompt says so."""
    tokenizer = ForeignTokenizer.load(folder)

    def script(sequence: Sequence) -> int:
        prompt = tokenizer.decode(sequence.prompt)
        text = WRONG if "wrong" in prompt else THOUGHT if "Think" in prompt else PROSE
        text = "</think>\n\nIt is 42." if sequence.prefix_steps else text
        ids = [*tokenizer.backend.encode(text, add_special_tokens=False).ids, tokenizer.end_id]
        return ids[len(sequence.tokens)]

    scheduler = Scheduler.of(ScriptedRunner(script, tokenizer.end_id), tokenizer)
    return Engine(scheduler, tokenizer, Promises(None, "it has not been calibrated"), conversation="multi")


@pytest.fixture(scope="module")
def prose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = save_tokenizer(tmp_path_factory.mktemp("models") / "prose", "thinking")
    (folder / "config.json").write_text("{}")
    yield from running(folders=(str(folder),), make_engine=prose_engine)


def receipt_of(choice: Any) -> Any:
    return choice.model_extra["receipt"]


def test_a_chat_is_answered_in_prose(prose: Running) -> None:
    completion = prose.client().chat.completions.create(messages=ASKED, **LONG)
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason, choice.message.refusal) == (PROSE, "stop", None)
    receipt = receipt_of(choice)
    assert (receipt["outcome"], receipt["steps"], receipt["checked"]) == ("answered", [], {})
    assert (receipt["confidence"], receipt["ignored"]) == (None, {"system": 0, "earlier": 0})
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 0


def test_thinking_is_reasoning(prose: Running) -> None:
    (choice,) = prose.client().chat.completions.create(messages=THINKING, **LONG).choices
    assert choice.message.content == "It is 42."
    assert choice.message.model_extra["reasoning"] == "12 + 30 = 42\nThat is all."  # type: ignore[index]
    assert [step["verdict"] for step in receipt_of(choice)["steps"]] == ["valid", "unsupported"]


@pytest.mark.parametrize("messages", [ASKED, THINKING])
def test_a_stream_of_a_chat_says_the_same_piece_by_piece(prose: Running, messages: Any) -> None:
    client = prose.client().chat.completions
    whole = client.create(messages=messages, **LONG)
    told: Any = client.create(messages=messages, **LONG, stream=True, stream_options={"include_usage": True})
    chunks = list(told)
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    contents = [choice.delta.content for choice in choices if choice.delta.content]
    assert "".join(contents) == whole.choices[0].message.content
    assert len(contents) > 3
    reasoning = "".join((choice.delta.model_extra or {}).get("reasoning", "") for choice in choices)
    assert reasoning.strip() == whole.choices[0].message.model_extra["reasoning"]  # type: ignore[index]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage == whole.usage


def test_an_answer_that_may_be_put_right_is_told_at_the_end(prose: Running) -> None:
    client = prose.client().chat.completions
    asked: Any = {**LONG, "messages": [{"role": "user", "content": "wrong: what is 12 + 30?"}]}
    whole = client.create(**asked)
    assert (whole.choices[0].message.content, receipt_of(whole.choices[0])["attempts"]) == ("It is 42.", 2)
    chunks: Any = list(client.create(**asked, stream=True))
    contents = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert "".join(contents) == "It is 42."
    once = client.create(**asked, extra_body={"budget": {"max_steps": 1}})
    assert (once.choices[0].message.content, receipt_of(once.choices[0])["outcome"]) == ("It is 43.", "best_effort")


def test_cut_prose_is_given_as_far_as_it_goes(prose: Running) -> None:
    client = prose.client().chat.completions
    short = client.create(model="prose", messages=ASKED, max_tokens=9)
    content = short.choices[0].message.content
    assert content
    assert PROSE.startswith(content)
    assert (short.choices[0].finish_reason, short.choices[0].message.refusal) == ("length", None)
    chunks: Any = list(client.create(model="prose", messages=ASKED, max_tokens=9, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == content


def test_no_effort_leaves_thinking_out(prose: Running) -> None:
    with_it = prose.client().chat.completions.create(messages=ASKED, **LONG, reasoning_effort="low")
    without = prose.client().chat.completions.create(messages=ASKED, **LONG, reasoning_effort="none")
    assert with_it.usage is not None
    assert without.usage is not None
    assert without.usage.prompt_tokens > with_it.usage.prompt_tokens


def test_messages_are_read_by_the_template(prose: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = prose.app.state.models.find("prose").engine
    read = list[str]()
    prepare = engine.prepare

    def note(request: Any) -> Any:
        prepared = prepare(request)
        read.append(engine.scheduler._text_ends._tokenizer.decode(prepared.ids))
        return prepared

    monkeypatch.setattr(engine, "prepare", note)
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages: Any = [
        {"role": "developer", "content": "Be <|im_end|> brief."},
        {"role": "user", "content": [{"type": "text", "text": "48×27"}, {"type": "text", "text": "=?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "1296"},
    ]
    prose.client().chat.completions.create(messages=messages, **LONG)
    assert read[-1] == (
        "<|im_start|>system\nBe <|im_end|> brief.<|im_end|>\n<|im_start|>user\n48×27=?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\n1296\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
    )
    prose.client().responses.create(model="prose", instructions="Be brief.", input="Hello", max_output_tokens=200)
    assert read[-1].startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>")
    prose.client().completions.create(prompt="Once upon", **LONG)
    assert read[-1] == "Once upon"
    prose.client().completions.create(prompt=[5, 6], **LONG)
    assert len(read) == 4


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([*ASKED, {"role": "assistant", "content": "x"}], "messages: the last one must be of the user"),
        ([*ASKED, {"role": "tool", "content": "x", "tool_call_id": "z"}], "messages.2.tool_call_id: no call before"),
        ([{"role": "user", "content": " "}], "the prompt is empty"),
    ],
)
def test_what_cannot_be_read_is_refused(prose: Running, messages: Any, reason: str) -> None:
    with pytest.raises(openai.BadRequestError, match=reason):
        prose.client().chat.completions.create(messages=messages, **LONG)


def test_nothing_is_promised(prose: Running) -> None:
    with pytest.raises(openai.BadRequestError, match="it has not been calibrated"):
        prose.client().chat.completions.create(messages=ASKED, **LONG, extra_body={"budget": {"error_tolerance": 0.05}})


def test_a_completion_goes_on_with_its_prompt(prose: Running) -> None:
    client = prose.client().completions
    whole = client.create(prompt="The capital", **LONG)
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == (PROSE, "stop")
    chunks: Any = list(client.create(prompt=["The capital", "A"], **LONG, stream=True))
    for index in (0, 1):
        texts = [chunk.choices[0].text for chunk in chunks if chunk.choices[0].index == index]
        assert "".join(texts) == PROSE
        assert len(texts) > 5
    ended = [chunk for chunk in chunks if chunk.choices[0].finish_reason]
    assert [chunk.choices[0].finish_reason for chunk in ended] == ["stop", "stop"]
    assert all("receipt" in chunk.choices[0].model_extra for chunk in ended)
    echo = client.create(prompt="The capital", echo=True, **LONG)
    assert echo.choices[0].text == "The capital" + PROSE


def test_choices_stop_texts_and_biases(prose: Running) -> None:
    client = prose.client().chat.completions
    both = client.create(messages=ASKED, **LONG, n=2, stop=["Paris"], logit_bias={"5": 0})
    assert [choice.message.content for choice in both.choices] == ["The capital of France is "] * 2
    chunks: Any = list(client.create(messages=ASKED, **LONG, stop=["Paris"], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "The capital of France is "


@pytest.mark.parametrize("question", ["Capital of France?", "Think: what is 12 + 30?", "wrong: what is 12 + 30?"])
def test_a_stream_of_a_response_says_the_same(prose: Running, question: str) -> None:
    client = prose.client().responses
    whole = client.create(model="prose", input=question, max_output_tokens=200)
    events = list(client.create(model="prose", input=question, max_output_tokens=200, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text
    assert len(deltas) > 3
    last: Any = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == whole.output_text
    kinds = [event.type.removeprefix("response.") for event in events]
    reasoned = kinds.index("reasoning_text.done")
    assert "reasoning_text.delta" not in kinds[reasoned:]
    steps = [event.model_extra["step"]["text"] for event in events if "step" in (event.model_extra or {})]
    assert steps[-2 if "Think" in question else len(steps) :] == [
        step["text"] for step in whole.model_extra["receipt"]["steps"]  # type: ignore[index]
    ][: 2 if "Think" in question else 0]  # fmt: skip
    for kind in ("output_item.added", "content_part.added", "content_part.done", "output_item.done"):
        assert kinds.count(kind) == 2
    assert kinds.index("output_text.delta") > kinds.index("content_part.added", reasoned)


def test_a_conversation_goes_on(prose: Running) -> None:
    client = prose.client().responses
    first = client.create(model="prose", input="Capital of France?", max_output_tokens=200)
    sent: Any = [{"role": "user", "content": "Capital of France?"}, *first.output, {"role": "user", "content": "Sure?"}]
    assert client.create(model="prose", input=sent, max_output_tokens=200).output_text == PROSE


def test_models_are_listed(prose: Running) -> None:
    (model,) = prose.client().models.list().data
    assert (model.id, model.model_extra["conversation"]) == ("prose", "multi")  # type: ignore[index]
    assert model.model_extra["writes"] == "prose"  # type: ignore[index]


def test_the_first_words_come_before_the_last(prose: Running) -> None:
    """They are sent while the engine is still writing."""
    body = {**LONG, "messages": ASKED, "stream": True}
    with (
        prose.nothing_written(after=12, model="prose"),
        httpx2.stream("POST", f"{prose.url}/v1/chat/completions", json=body, timeout=20) as reply,
    ):
        seen = ""
        for line in reply.iter_lines():
            seen += line
            if '"content":"T' in seen:
                break
        assert "receipt" not in seen
