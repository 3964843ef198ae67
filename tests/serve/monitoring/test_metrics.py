"""The metrics agree with what clients receive; feedback is counted and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openai import BadRequestError
from prometheus_client.parser import text_string_to_metric_families

from tests.serve.conftest import Running, running
from tests.serve.scripted import scripted_engine
from tests.waiting import eventually
from tuili.serve.app import Settings

ROOT = Path(__file__).parents[3]
ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]
MAX_FEEDBACK_BYTES = 10_000


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    file = tmp_path_factory.mktemp("feedback") / "feedback.jsonl"
    for server in running(Settings(feedback=file, max_feedback_bytes=MAX_FEEDBACK_BYTES, observe_seconds=0.3)):
        yield server, file


def samples(server: Running, key: str = "none") -> dict[tuple[str, str], float]:
    """The values of all metrics by name and labels, without the label of the model."""
    headers = {"authorization": f"Bearer {key}"}
    text = server.client()._client.get(f"{server.url}/metrics", headers=headers).text
    return {
        (
            sample.name,
            ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name != "model"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counts_are_those_of_the_answers(counted: tuple[Running, Path]) -> None:
    server, _ = counted
    client = server.client().chat.completions
    completions = [
        client.create(model="nano", messages=ASKED, max_completion_tokens=tokens) for tokens in (400, 400, 5)
    ]
    list(client.create(model="nano", messages=ASKED, stream=True))
    values = samples(server)
    usages = [one.usage for one in (*completions, completions[0]) if one.usage]
    assert values["tuili_tokens_total", "kind=reused"] == 0, "so short a prompt is read again"
    written = values["tuili_tokens_total", "kind=reasoning"] + values["tuili_tokens_total", "kind=answer"]
    assert written == sum(usage.completion_tokens for usage in usages)
    assert values["tuili_token_depth_layers_count", ""] == written
    assert values["tuili_time_to_first_token_seconds_count", ""] == 4
    assert values["tuili_inter_token_seconds_count", ""] == written - 4
    assert values["tuili_outcomes_total", "outcome=answered,stop=end"] == 3
    assert values["tuili_outcomes_total", "outcome=abstained,stop=length"] == 1
    assert values["tuili_requests_total", "endpoint=/v1/chat/completions,status=200"] == 4
    assert values["tuili_steps_total", "verdict=valid"] == sum(
        one.choices[0].model_extra["receipt"]["checked"].get("valid", 0)  # type: ignore[index]
        for one in (*completions, completions[0])
    )
    assert {value for (name, _), value in values.items() if name == "tuili_budget_overruns_total"} == {0}
    assert (
        values["tuili_ready", ""],
        values["tuili_queue_waiting", ""],
        values["tuili_promise_revoked", "caller="],
    ) == (
        1,
        0,
        0,
    )


def test_steps_from_nowhere_are_counted_and_told() -> None:
    for server in running(Settings(), make_engine=scripted_engine):
        before = samples(server)["tuili_untraced_steps_total", ""]
        create = server.client().chat.completions.create
        for question in ("What is 1 + 1?", "Say a number from nowhere."):
            reply = create(model="nano", messages=[{"role": "user", "content": question}])
        receipt: Any = reply.choices[0].model_extra["receipt"]  # type: ignore[index]
        assert [step["traced"] for step in receipt["steps"]] == [False]
        assert {number["origin"] for number in receipt["steps"][0]["numbers"]} == {"nowhere"}
        assert (before, samples(server)["tuili_untraced_steps_total", ""]) == (0, 1)


def test_steps_that_the_checker_wrote_are_counted() -> None:
    for server in running(Settings(), make_engine=scripted_engine):
        counts = [samples(server)["tuili_calculated_steps_total", ""]]
        for calculator in ("off", "repair", "forced"):
            fields = {"messages": [{"role": "user", "content": "Be wrong."}], "extra_body": {"calculator": calculator}}
            server.client().chat.completions.create(model="nano", **fields)  # type: ignore[call-overload]
            counts.append(samples(server)["tuili_calculated_steps_total", ""])
        assert counts == [0, 0, 1, 2]


def test_unfamiliar_questions_are_counted_and_told_and_refused_where_a_promise_is_asked_for() -> None:
    for server in running(Settings(), make_engine=scripted_engine):
        before = samples(server)["tuili_unfamiliar_prompts_total", ""]
        create = server.client().chat.completions.create
        told = []
        for question in ("What is 1 + 1?", "A foreign question."):
            reply = create(model="nano", messages=[{"role": "user", "content": question}])
            told.append(reply.choices[0].model_extra["receipt"]["familiar"])  # type: ignore[index]
        assert told == [{"p": 0.5, "level": 0.02}, {"p": 0.001, "level": 0.02}]
        assert (before, samples(server)["tuili_unfamiliar_prompts_total", ""]) == (0, 1)
        messages: Any = [{"role": "user", "content": "A foreign question."}]
        with pytest.raises(BadRequestError, match="nothing is promised about this prompt: it is unlike those"):
            create(model="nano", messages=messages, extra_body={"budget": {"error_tolerance": 0.1}})


def test_what_was_read_before_is_told(counted: tuple[Running, Path]) -> None:
    server, _ = counted
    long: Any = [{"role": "user", "content": "What is 481 + 27 * 3 - 15 + 444 * 2 - 7?"}]
    before = samples(server)["tuili_tokens_total", "kind=reused"]
    first, second = (server.client().chat.completions.create(model="nano", messages=long).usage for _ in range(2))
    assert first is not None
    assert second is not None
    cached = [usage.prompt_tokens_details.cached_tokens for usage in (first, second) if usage.prompt_tokens_details]
    assert cached == [0, second.prompt_tokens - 1], "all but the last token, which is always read"
    assert samples(server)["tuili_tokens_total", "kind=reused"] == before + second.prompt_tokens - 1


def test_what_experts_and_heads_do_is_sampled(counted: tuple[Running, Path]) -> None:
    server, _ = counted
    completion = server.client().chat.completions.create(model="nano", messages=ASKED)
    assert completion.usage is not None
    least = 2 * completion.usage.completion_tokens  # what the verifier has read of it
    eventually(lambda: _taken(samples(server)) >= least, "the answer is not observed")
    values = samples(server)
    assert _taken(values) % 2 == 0, "two experts a token"
    heads = {
        labels: value for (name, labels), value in values.items() if name == "tuili_attention_head_activation_ratio"
    }
    assert len(heads) == 12, "every layer has its share"
    assert all(0 < share <= 1 for share in heads.values())
    assert sum(name == "tuili_expert_tokens_total" for name, _ in values) == 9 * 16


def _taken(values: dict[tuple[str, str], float]) -> float:
    """How many times a token took an expert in the first reasoning layer."""
    return sum(
        value for (name, labels), value in values.items() if name == "tuili_expert_tokens_total" and "layer=3" in labels
    )


def test_every_metric_is_on_the_list_of_the_deployment(counted: tuple[Running, Path]) -> None:
    """Types and labels of the list, which dashboard, rules and scalers use, are those of a live scrape."""
    server, _ = counted
    listed = yaml.safe_load((ROOT / "deploy" / "monitoring" / "metrics.yaml").read_text())
    text = server.client()._client.get(f"{server.url}/metrics").text
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert listed[name]["type"] == family.type, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(listed[name]["labels"]), name
    names = {family.name for family in text_string_to_metric_families(text)}
    assert names >= {name.removesuffix("_total") for name in listed}


def test_feedback_is_counted_and_kept(counted: tuple[Running, Path]) -> None:
    server, file = counted
    name = server.client().chat.completions.create(model="nano", messages=ASKED).id
    raw = server.client()._client
    for body in ({"thumb": "up"}, {"thumb": "down", "correction": "130", "model": "nano"}):
        reply = raw.post(f"{server.url}/v1/feedback", json={"id": name, **body})
        assert reply.status_code == 202, reply.text
    for body in ({}, {"thumb": "sideways"}, {"correction": "x" * 5000}, {"thumb": "up", "more": 1}):
        assert raw.post(f"{server.url}/v1/feedback", json={"id": name, **body}).status_code == 400
    assert raw.post(f"{server.url}/v1/feedback", json={"id": "../x", "thumb": "up"}).status_code == 400
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["id"], line["thumb"], line.get("correction")) for line in kept] == [
        (name, "up", None),
        (name, "down", "130"),
    ]
    values = samples(server)
    assert (values["tuili_feedback_total", "verdict=down"], values["tuili_feedback_total", "verdict=correction"]) == (
        1,
        1,
    )


def test_a_file_of_feedback_does_not_grow_without_end(counted: tuple[Running, Path]) -> None:
    server, file = counted
    name = server.client().chat.completions.create(model="nano", messages=ASKED).id

    def give() -> str:
        reply = server.client()._client.post(f"{server.url}/v1/feedback", json={"id": name, "thumb": "up"})
        status: str = reply.json()["status"]
        return status

    assert give() == "kept"
    with file.open("ab") as filled:
        filled.write(b"\n" * MAX_FEEDBACK_BYTES)
    size = file.stat().st_size
    assert (give(), file.stat().st_size) == ("counted", size)
