"""What a model is given of a conversation: a model of single questions the last one alone, and the receipt says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI

from benchmarks.harness.tiny import save_tiny, tiny_model
from tests.serve.conftest import Running, running
from tests.serve.replies import check_reply
from tuili.engine import Ignored
from tuili.serve.engine_requests import read_conversation
from tuili.serve.errors import HttpError
from tuili.serve.schemas.messages import Message, ReasoningInput
from tuili.store import Conversation

QUESTION = "What is 48 + 27 * 3?"
ASKED: Any = {"role": "user", "content": QUESTION}
SYSTEM: Any = {"role": "system", "content": "You are a helpful assistant."}
TURN: Any = [{"role": "user", "content": "What is 1 + 1?"}, {"role": "assistant", "content": "2"}]
STEPS: Any = {"type": "reasoning", "id": "rs_1", "summary": []}
TOLERANT: Any = {"budget": {"error_tolerance": 0.05, "max_steps": 4}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of two models of random weights: a talker reads conversations, a listener single questions."""
    folder = tmp_path_factory.mktemp("conversations")
    kinds: dict[str, Conversation] = {"talker": "multi", "listener": "single"}
    models = tuple(str(save_tiny(folder / name, conversation=kind)) for name, kind in kinds.items())
    yield from running(folders=models)


def sums() -> list[tuple[str, str]]:
    """Twenty questions of the kind that the model answers best, with their answers."""
    random = Random(7)
    numbers = [random.sample(range(10, 100), 3) for _ in range(20)]
    return [(f"What is {a} + {b} - {c}?", str(a + b - c)) for a, b, c in numbers]


@pytest.mark.parametrize("before", [[SYSTEM], TURN], ids=["system", "turn"])
def test_what_stands_before_a_question_costs_no_answers(server: Running, before: list[Any]) -> None:
    async def right(client: AsyncOpenAI, question: str, answer: str) -> bool:
        asked: Any = [*before, {"role": "user", "content": question}]
        completion = await client.chat.completions.create(model="nano", messages=asked, max_tokens=100)
        return completion.choices[0].message.content == answer

    async def main() -> int:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            return sum(await asyncio.gather(*(right(client, *each) for each in sums())))

    assert asyncio.run(main()) >= 19


def receipt_of(server: Running, path: str, body: dict[str, Any], model: str = "nano") -> dict[str, Any]:
    """The receipt in the reply to a request, which is as the document says."""
    reply = httpx2.post(server.url + path, json={"model": model, **body}, timeout=60)
    assert reply.status_code == 200, reply.text
    check_reply("POST", path, 200, reply.headers, reply.content)
    if body.get("stream"):
        events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
        holders = [event.get("response") or (event.get("choices") or [{}])[0] for event in events]
        (receipt,) = (holder["receipt"] for holder in holders if "receipt" in holder)
    else:
        whole = reply.json()
        receipt = whole.get("receipt") or whole["choices"][0]["receipt"]
    assert isinstance(receipt, dict)
    return receipt


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("question", "read"), [("48+27-3=?", "48 + 27 - 3 = ?"), ("$3 \\times 4$", "3 * 4"), ("What is 3 * 4?", None)]
)
def test_the_receipt_says_what_was_read(server: Running, question: str, read: str | None, stream: bool) -> None:
    body = {"messages": [{"role": "user", "content": question}], "stream": stream}
    assert receipt_of(server, "/v1/chat/completions", body)["read_as"] == read


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("path", "body", "ignored"),
    [
        ("/v1/chat/completions", {"messages": [ASKED]}, (0, 0)),
        ("/v1/chat/completions", {"messages": [SYSTEM, {**SYSTEM, "role": "developer"}, ASKED]}, (2, 0)),
        ("/v1/chat/completions", {"messages": [SYSTEM, *TURN, SYSTEM, ASKED, ASKED]}, (2, 3)),
        ("/v1/responses", {"input": QUESTION, "instructions": "Be exact."}, (1, 0)),
        ("/v1/responses", {"input": [SYSTEM, TURN[0], STEPS, TURN[1], ASKED], "instructions": "Be exact."}, (2, 3)),
        ("/v1/completions", {"prompt": QUESTION}, (0, 0)),
    ],
)
def test_the_receipt_says_what_was_left_out(
    tiny: Running, path: str, body: dict[str, Any], ignored: tuple[int, int], stream: bool
) -> None:
    receipt = receipt_of(tiny, path, {**body, "stream": stream}, "listener")
    assert receipt["ignored"] == {"system": ignored[0], "earlier": ignored[1]}
    assert receipt["tokens"]["prompt"] == len(tiny_model()[1].encode_prompt(QUESTION))


def test_a_promise_holds_behind_instructions_and_not_behind_earlier_turns(server: Running) -> None:
    client = server.client()
    chat = client.chat.completions.create(model="nano", messages=[SYSTEM, ASKED], extra_body=TOLERANT)
    answer = client.responses.create(model="nano", input=QUESTION, instructions="Be exact.", extra_body=TOLERANT)
    for receipt in (chat.choices[0].model_extra["receipt"], answer.model_extra["receipt"]):  # type: ignore[index]
        assert (receipt["promise"]["error_tolerance"], receipt["promise"]["why"]) == (0.05, "")
    with pytest.raises(openai.BadRequestError, match="no earlier messages") as refused:
        client.chat.completions.create(model="nano", messages=[*TURN, ASKED], extra_body=TOLERANT)
    assert (refused.value.code, refused.value.param) == ("not_promised", "budget.error_tolerance")
    with pytest.raises(openai.BadRequestError, match="no earlier messages"):
        client.responses.create(model="nano", input=[*TURN, STEPS, ASKED], extra_body=TOLERANT)


@pytest.mark.parametrize("last", [TURN[1], SYSTEM, {**SYSTEM, "role": "developer"}])
def test_the_last_message_is_of_the_user(server: Running, last: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="the last one must be of the user") as refused:
        server.client().chat.completions.create(model="nano", messages=[ASKED, last])
    assert (refused.value.code, refused.value.param) == ("invalid_value", "messages")
    for items in ([ASKED, last], [ASKED, last, STEPS], [STEPS]):
        with pytest.raises(openai.BadRequestError, match="the last one must be of the user") as refused:
            server.client().responses.create(model="nano", input=items)
        assert (refused.value.code, refused.value.param) == ("invalid_value", "input")


def test_a_model_of_conversations_is_given_the_whole(tiny: Running) -> None:
    tokenizer = tiny_model()[1]
    for path, body in (
        ("/v1/chat/completions", {"messages": [SYSTEM, *TURN, ASKED], "max_tokens": 5}),
        ("/v1/responses", {"input": [*TURN, ASKED], "instructions": SYSTEM["content"], "max_output_tokens": 5}),
    ):
        receipt = receipt_of(tiny, path, body, "talker")
        earlier = [(f"{SYSTEM['content']}\n\nWhat is 1 + 1?", "2")]
        assert receipt["tokens"]["prompt"] == len(tokenizer.encode_prompt(QUESTION, earlier))
        assert receipt["ignored"] == {"system": 0, "earlier": 0}


def test_models_say_what_they_read(server: Running, tiny: Running) -> None:
    for at_work, name, kind in ((server, "nano", "multi"), (tiny, "talker", "multi"), (tiny, "listener", "single")):
        assert at_work.client().models.retrieve(name).model_extra["conversation"] == kind  # type: ignore[index]


MESSAGES = st.builds(Message, role=st.sampled_from(["system", "developer", "user", "assistant"]), content=st.text())
ITEMS = st.one_of(MESSAGES, st.just(ReasoningInput(type="reasoning")))


@given(st.lists(ITEMS, max_size=6), st.text())
def test_every_message_is_read_or_counted(before: list[Message | ReasoningInput], question: str) -> None:
    asked = read_conversation([*before, Message(role="user", content=question)], "single")
    assert (asked.prompt, asked.earlier) == (question, ())
    assert asked.ignored.system + asked.ignored.earlier == len(before)


@given(st.lists(MESSAGES, min_size=1, max_size=6))
def test_a_whole_conversation_is_read_in_turns_or_refused_by_name(messages: list[Message]) -> None:
    roles = "".join({"system": "s", "developer": "s"}.get(message.role, message.role[0]) for message in messages)
    turns = roles.replace("a", "a|").split("|")
    in_order = all(turn.lstrip("s").rstrip("a").strip("u") == "" and "u" in turn for turn in turns)
    if not in_order:
        with pytest.raises(HttpError, match=r"last one must be|without a question|before the question"):
            read_conversation(messages, "multi", "input")
        return
    asked = read_conversation(messages, "multi", "input")
    assert asked.ignored == Ignored()
    pairs = "\n\n".join(text for pair in (*asked.earlier, (asked.prompt,)) for text in pair)
    assert pairs == "\n\n".join(message.text for message in messages)


def test_a_reference_to_an_item_may_stand_where_it_is_not_read(tiny: Running) -> None:
    items: Any = [TURN[0], {"type": "item_reference", "id": "msg_1"}, ASKED]
    receipt = receipt_of(tiny, "/v1/responses", {"input": items}, "listener")
    assert receipt["ignored"] == {"system": 0, "earlier": 2}
    refused = httpx2.post(f"{tiny.url}/v1/responses", json={"model": "talker", "input": items}, timeout=60)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input.1"), "it was never kept"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_reference_to_an_answer_is_that_answer(tiny: Running, stream: bool) -> None:
    responses = tiny.client().responses

    def respond(items: Any, **more: Any) -> Any:
        return responses.create(model="talker", input=items, max_output_tokens=20, **more)

    def first(**more: Any) -> list[Any]:
        if stream:
            *_, last = respond([TURN[0]], stream=True, **more)
            return last.response.output
        return respond([TURN[0]], **more).output

    output = first()
    sent = respond([TURN[0], *(item.model_dump(exclude_none=True) for item in output), ASKED])
    references = [{"type": "item_reference", "id": item.id} for item in output]
    referred = respond([TURN[0], *references, ASKED])
    assert (referred.output_text, referred.usage.input_tokens) == (sent.output_text, sent.usage.input_tokens)
    unkept = first(store=False)
    with pytest.raises(openai.BadRequestError, match="send the item itself"):
        respond([TURN[0], {"type": "item_reference", "id": unkept[-1].id}, ASKED])
