"""OpenAI's client for Python works unchanged."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.serve.conftest import Running
from tests.waiting import happened

QUESTION = "What is 48 + 27 * 3?"
ASKED: Any = [{"role": "user", "content": QUESTION}]


def test_a_chat_is_answered_with_its_reasoning_and_a_receipt(server: Running) -> None:
    completion = server.client().chat.completions.create(model="nano", messages=ASKED)
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason, choice.message.refusal) == ("129", "stop", None)
    extra: Any = choice.message.model_extra
    assert extra["reasoning"] == extra["reasoning_content"] == "20 * 3 = 60\n7 * 3 = 21\n60 + 21 = 81\n48 + 81 = 129"
    receipt: Any = choice.model_extra["receipt"]  # type: ignore[index]
    assert (receipt["outcome"], receipt["checked"]) == ("answered", {"valid": 4})
    assert [step["verdict"] for step in receipt["steps"]] == ["valid"] * 4
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    details = completion.usage.completion_tokens_details
    assert details is not None
    assert 0 < (details.reasoning_tokens or 0) < completion.usage.completion_tokens


def test_a_stream_says_the_same_and_ends_with_the_usage(server: Running) -> None:
    whole = server.client().chat.completions.create(model="nano", messages=ASKED)
    chunks = list(
        server.client().chat.completions.create(
            model="nano", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == whole.choices[0].message.content
    reasoning = "".join((choice.delta.model_extra or {}).get("reasoning", "") for choice in choices)
    assert reasoning.strip() == whole.choices[0].message.model_extra["reasoning"]  # type: ignore[index]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    extra = [choice.model_extra or {} for choice in choices]
    assert sum("depth" in one for one in extra) == whole.usage.completion_tokens  # type: ignore[union-attr]
    assert [one["step"]["verdict"] for one in extra if "step" in one] == ["valid"] * 4


def test_several_choices_are_drawn_with_seeds_that_count_up(server: Running) -> None:
    drawn: Any = {"model": "nano", "messages": ASKED, "temperature": 1.5, "extra_body": {"top_k": 50}}
    client = server.client().chat.completions
    both = client.create(**drawn, n=3, seed=7)
    alone = [client.create(**drawn, seed=seed) for seed in (7, 8, 9)]
    texts = [(choice.message.content, choice.message.model_extra["reasoning"]) for choice in both.choices]  # type: ignore[index]
    assert texts == [(one.choices[0].message.content, one.choices[0].message.model_extra["reasoning"]) for one in alone]  # type: ignore[index]
    assert [choice.index for choice in both.choices] == [0, 1, 2]
    assert both.usage is not None
    assert both.usage.completion_tokens == sum(one.usage.completion_tokens for one in alone if one.usage)


def test_a_budget_is_kept_and_an_effort_is_one(server: Running) -> None:
    client = server.client().chat.completions
    short = client.create(model="nano", messages=ASKED, max_completion_tokens=5)
    assert short.choices[0].finish_reason == "length"
    assert short.choices[0].message.content == ""
    assert short.choices[0].message.refusal is not None, "nothing was answered, and it says why"
    assert short.usage is not None
    assert short.usage.completion_tokens == 5
    promised = {"error_tolerance": 0.05, "max_attempts": 4}  # the other name of max_steps
    sure = client.create(model="nano", messages=ASKED, extra_body={"budget": promised})
    promise = sure.choices[0].model_extra["receipt"]["promise"]  # type: ignore[index]
    assert (promise["error_tolerance"], promise["max_steps"], promise["why"]) == (0.05, 4, "")
    low = client.create(model="nano", messages=ASKED, reasoning_effort="low")
    assert low.choices[0].message.content == "129"
    with pytest.raises(openai.BadRequestError) as refused:
        client.create(model="nano", messages=ASKED, extra_body={"budget": {"error_tolerance": 0.001}})
    assert refused.value.code == "not_promised"


def test_what_a_stop_text_begins_is_left_out(server: Running) -> None:
    completion = server.client().chat.completions.create(model="nano", messages=ASKED, stop=[" = 81"])
    (choice,) = completion.choices
    assert choice.message.content == ""
    assert choice.model_extra["receipt"]["stop"] == "stop"  # type: ignore[index]
    assert "81" not in choice.message.model_extra["reasoning"]  # type: ignore[index]


def test_logprobs_are_those_of_the_answers_tokens(server: Running) -> None:
    client = server.client().chat.completions
    completion = client.create(model="nano", messages=ASKED, logprobs=True, top_logprobs=3)
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(token.token for token in logprobs.content) == "129"
    for token in logprobs.content:
        assert token.top_logprobs[0].token == token.token, "temperature 0 takes the likeliest"
        assert token.logprob == token.top_logprobs[0].logprob <= 0
        assert [other.logprob for other in token.top_logprobs] == sorted(
            (o.logprob for o in token.top_logprobs), reverse=True
        )
        assert sum(math.exp(other.logprob) for other in token.top_logprobs) <= 1 + 1e-9
    streamed = client.create(model="nano", messages=ASKED, logprobs=True, stream=True)
    content = [chunk.choices[0].logprobs.content for chunk in streamed if chunk.choices and chunk.choices[0].logprobs]
    assert [token.token for part in content for token in part or ()] == ["1", "2", "9"]
    assert client.create(model="nano", messages=ASKED).choices[0].logprobs is None


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_parameter", "tools"),
        ({"logit_bias": {"5000": 1}}, "invalid_value", "logit_bias"),
        ({"temperature": 3}, "invalid_value", "temperature"),
        ({"n": 1000}, "invalid_value", "n"),
        ({"max_completion_tokens": 10**12}, "invalid_value", "max_completion_tokens"),
        ({"stop": ["x"] * 99}, "invalid_value", "stop"),
        ({"extra_body": {"budget": {"deadline_ms": -1}}}, "invalid_value", "budget.deadline_ms"),
        ({"extra_body": {"depth": 5}}, "invalid_value", "depth"),
        ({"messages": [{"role": "user", "content": "1 " * 5000}]}, "context_length_exceeded", "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "invalid_prompt", "messages"),
        ({"messages": [{"role": "function", "content": "x"}]}, "invalid_value", "messages.0.role"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_named(
    server: Running, asked: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.client().chat.completions.create(**{"model": "nano", "messages": ASKED} | asked)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert "\n" not in refused.value.message


def test_models_are_listed_and_others_are_not_found(server: Running) -> None:
    assert [model.id for model in server.client().models.list()] == ["nano"]
    assert server.client().models.retrieve("nano").owned_by == "tuili"
    with pytest.raises(openai.NotFoundError):
        server.client().models.retrieve("nano2")
    for name in ("nano2", "../nano", "/etc/passwd", "x" * 200):
        with pytest.raises(openai.NotFoundError) as refused:
            server.client().chat.completions.create(model=name, messages=ASKED)
        assert refused.value.code == "model_not_found"


def test_completions_answer_each_prompt(server: Running) -> None:
    completion = server.client().completions.create(model="nano", prompt=[QUESTION, "What is 2 + 2?"], n=2)
    assert [choice.text for choice in completion.choices] == ["129", "129", "4", "4"]
    streamed = list(server.client().completions.create(model="nano", prompt=QUESTION, stream=True))
    assert "".join(chunk.choices[0].text for chunk in streamed) == "129"
    last = list(
        server.client().completions.create(
            model="nano", prompt=QUESTION, stream=True, stream_options={"include_usage": True}
        )
    )[-1]
    assert last.usage is not None
    assert last.usage.completion_tokens_details is not None
    assert 0 < (last.usage.completion_tokens_details.reasoning_tokens or 0) < last.usage.completion_tokens


def test_responses_come_as_items_and_as_events(server: Running) -> None:
    client = server.client().responses
    response = client.create(model="nano", input=QUESTION, reasoning={"effort": "low"})
    assert (response.output_text, response.status) == ("129", "completed")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage is not None
    assert 0 < response.usage.output_tokens_details.reasoning_tokens < response.usage.output_tokens
    with client.stream(model="nano", input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == "129"
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")][:3] == [0, 1, 2]
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    instructed = client.create(model="nano", input=QUESTION, instructions="Be exact.")
    assert instructed.instructions == "Be exact."
    cut = client.create(model="nano", input=QUESTION, max_output_tokens=5)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")  # type: ignore[union-attr]


def test_whoever_leaves_frees_the_place_and_is_counted(server: Running) -> None:
    counter = server.app.state.metrics.outcomes.labels("nano", "cancelled", "cancelled")
    served, before = server.app.state.models.find("nano"), counter._value.get()

    async def main() -> None:
        async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            stream = await client.chat.completions.create(model="nano", messages=ASKED, stream=True)
            await anext(aiter(stream))
            whole = asyncio.create_task(client.chat.completions.create(model="nano", messages=ASKED))
            await happened(lambda: server.in_flight() == 2, "the second request does not arrive")
            await stream.close()
            whole.cancel()
            await asyncio.gather(whole, return_exceptions=True)
            await happened(lambda: not server.in_flight() + served.running + served.waiting, "a place is not freed")

    with server.nothing_written(after=3):
        asyncio.run(main())
    assert counter._value.get() == before + 2


def test_raw_bodies_that_are_no_requests_are_refused(server: Running) -> None:
    raw = server.client()._client
    for body, status in ((b"{", 400), (b"[]", 400), (b'{"model": 1}', 400)):
        reply = raw.post(
            f"{server.url}/v1/chat/completions", content=body, headers={"content-type": "application/json"}
        )
        assert reply.status_code == status, reply.text
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
    assert raw.get(f"{server.url}/nothing").status_code == 404
    assert raw.get(f"{server.url}/v1/chat/completions").status_code == 405


class Sum(BaseModel):
    steps: list[str]
    answer: int


def test_answers_as_json_of_a_schema(server: Running) -> None:
    client = server.client()
    parsed = client.chat.completions.parse(model="nano", messages=ASKED, response_format=Sum).choices[0].message.parsed
    assert parsed is not None
    assert (parsed.answer, parsed.steps[0]) == (129, "20 * 3 = 60")
    plain = client.chat.completions.create(model="nano", messages=ASKED, response_format={"type": "json_object"})
    assert json.loads(plain.choices[0].message.content or "")["answer"] == "129"
    response = client.responses.parse(model="nano", input=QUESTION, text_format=Sum)
    assert response.output_parsed == parsed
    assert response.text is not None
    assert response.text.format.name == "Sum"  # type: ignore[union-attr]
    with client.chat.completions.stream(model="nano", messages=ASKED, response_format=Sum) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == parsed


def test_an_answer_that_does_not_fit_the_schema_is_refused(server: Running) -> None:
    schema = {"type": "object", "properties": {"holds": {"type": "boolean"}}}
    format: Any = {"type": "json_schema", "json_schema": {"name": "holds", "schema": schema}}
    completion = server.client().chat.completions.create(model="nano", messages=ASKED, response_format=format)
    message = completion.choices[0].message
    assert (message.content, message.refusal) == ("", "abstained: '129' is not of type boolean")
    format["json_schema"]["schema"] = {"type": "array"}
    with pytest.raises(openai.BadRequestError) as refused:
        server.client().chat.completions.create(model="nano", messages=ASKED, response_format=format)
    assert (refused.value.code, refused.value.param) == (
        "invalid_json_schema",
        "response_format.json_schema.schema",
    )


def test_usage_so_far_in_every_chunk(server: Running) -> None:
    options: Any = {"include_usage": True, "continuous_usage_stats": True}
    create = server.client().chat.completions.create
    chunks = list(create(model="nano", messages=ASKED, stream=True, stream_options=options))
    used = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(used) == len(chunks)
    assert {usage.prompt_tokens for usage in used} == {used[-1].prompt_tokens}
    written = [usage.completion_tokens for usage in used]
    assert written == sorted(written)
    assert (written[0], written[-2]) == (0, written[-1])


def test_what_was_answered_can_be_sent_back(server: Running) -> None:
    client, more = server.client(), {"role": "user", "content": "What is 35 + 41 - 12?"}
    for tokens in (400, 3):
        completion = client.chat.completions.create(model="nano", messages=ASKED, max_tokens=tokens)
        message = completion.choices[0].message
        assert (message.content == "") == (tokens == 3), "of so few tokens there is no answer"
        again: Any = [*ASKED, message, more]
        second = client.chat.completions.create(model="nano", messages=again)
        assert second.choices[0].message.content == "64"
    question: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
    for tokens in (400, 3):
        answered = client.responses.create(model="nano", input=QUESTION, max_output_tokens=tokens)
        items: Any = [question, *answered.output, more]
        assert client.responses.create(model="nano", input=items).status == "completed"


def test_what_is_wrong_with_an_item_is_told_where_it_is(server: Running) -> None:
    odd: Any = [{"role": "user", "content": "2 + 2?", "weight": 3}]
    with pytest.raises(openai.BadRequestError) as refused:
        server.client().responses.create(model="nano", input=odd)
    assert (refused.value.code, refused.value.param) == ("unknown_parameter", "input.0.weight")
    for role, field in (("user", "refusal"), ("system", "reasoning")):
        messages: Any = [{"role": role, "content": "x", field: "y"}, *ASKED]
        with pytest.raises(openai.BadRequestError, match="are of the assistant"):
            server.client().chat.completions.create(model="nano", messages=messages)
    with pytest.raises(openai.BadRequestError, match="content is missing"):
        server.client().chat.completions.create(model="nano", messages=[{"role": "user"}])  # type: ignore[list-item]
