"""The checker as calculator over HTTP: chosen by a field, and told in receipts and streams."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.serve.conftest import Running

QUESTION = "What is 12345 * 678?"
RIGHT = "8369910"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": QUESTION}]},
    "/v1/responses": {"input": QUESTION},
    "/v1/completions": {"prompt": QUESTION, "max_tokens": 400},
}


def ask(server: Running, path: str, **fields: Any) -> httpx2.Response:
    return httpx2.post(f"{server.url}{path}", json={"model": "nano", **BODIES[path], **fields}, timeout=60)


@pytest.mark.parametrize("path", BODIES)
def test_the_field_says_who_writes_values(path: str, server: Running) -> None:
    for calculator in ("forced", "repair"):
        reply = ask(server, path, calculator=calculator).json()
        receipt = reply["receipt"] if path == "/v1/responses" else reply["choices"][0]["receipt"]
        assert receipt["calculator"] == calculator
        assert {step["verdict"] for step in receipt["steps"]} == {"valid"}
        written = [step["written_by"] for step in receipt["steps"]]
        assert receipt["written_by"] == {who: written.count(who) for who in set(written)}
        assert "checker" in written
        assert RIGHT in json.dumps(reply)
    reply = ask(server, path).json()
    receipt = reply["receipt"] if path == "/v1/responses" else reply["choices"][0]["receipt"]
    assert receipt["calculator"] == "off"


@pytest.mark.parametrize("calculator", ["forced", "repair"])
def test_a_stream_tells_what_the_receipt_tells(calculator: str, server: Running) -> None:
    reply = ask(server, "/v1/chat/completions", calculator=calculator, stream=True)
    chunks = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    steps = [choice["step"] for choice in choices if "step" in choice]
    (receipt,) = (choice["receipt"] for choice in choices if "receipt" in choice)
    assert [(step["text"], step["written_by"]) for step in steps] == [
        (step["text"], step["written_by"]) for step in receipt["steps"]
    ]
    reasoning = "".join(choice["delta"].get("reasoning_content") or "" for choice in choices)
    assert [line for line in reasoning.splitlines() if "=" in line] == [step["text"] for step in steps]


def test_another_word_is_refused(server: Running) -> None:
    reply = ask(server, "/v1/chat/completions", calculator="on")
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "calculator"


def test_nothing_is_promised_with_another_calculator_than_in_calibration(server: Running) -> None:
    fields = {"budget": {"error_tolerance": 0.2, "max_steps": 4}}
    reply = ask(server, "/v1/chat/completions", calculator="forced", **fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "not_promised"
    assert "with calculator off" in reply.json()["error"]["message"]
