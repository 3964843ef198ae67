"""Promises on a server: revoked by key, reset by an operator, audited at random, and kept over restarts."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.serve.conftest import Running, running
from tests.serve.monitoring.test_metrics import samples
from tests.serve.replies import check_reply
from tests.serve.scripted import made_up_calibration, scripted_engine
from tests.serve.test_keys import key
from tuili.engine import Budget, Engine, LowConfidence, Promises, Request
from tuili.serve.alarm_files import AlarmFiles
from tuili.serve.app import Settings
from tuili.serve.audit import MAX_SAMPLE, MAX_WAITING, Audit
from tuili.serve.keys import Keys
from tuili.serve.models import ModelRegistry
from tuili.store import Tokenizer

CHAT = "/v1/chat/completions"
OPERATOR = "/v1/operator"


def keys() -> Keys:
    names = ["loud", "quiet", *(f"team-{number}" for number in range(11))]
    users = [key(name, name, max_priority=7 if name == "loud" else None) for name in names]
    return Keys([*users, key("boss", "boss", role="operator")])


@pytest.fixture
def keyed() -> Iterator[Running]:
    yield from running(Settings(keys()), make_engine=scripted_engine)


@pytest.fixture
def keyless() -> Iterator[Running]:
    yield from running(Settings(Keys(operators=[key("boss", "boss")])), make_engine=scripted_engine)


def send(server: Running, path: str, body: Any = None, secret: str = "") -> httpx2.Response:
    """Send one request, and check that its answer is as the document says."""
    method = "GET" if body is None else "POST"
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    raw = (server.clients or [server.client()])[0]._client
    reply = raw.request(method, server.url + path, json=body, headers=headers)
    declared = f"{OPERATOR}/audit/{{name}}" if path.startswith(f"{OPERATOR}/audit/") else path
    if "text/event-stream" not in reply.headers["content-type"]:
        check_reply(method, declared, reply.status_code, reply.headers, reply.content)
    return reply


def ask(server: Running, question: str, secret: str = "", tolerance: float | None = None, **more: Any) -> Any:
    budget = {"max_steps": 1} if tolerance is None else {"max_steps": 1, "error_tolerance": tolerance}
    body = {"model": "nano", "messages": [{"role": "user", "content": question}], "budget": budget, **more}
    return send(server, CHAT, body, secret)


def promised(server: Running, secret: str = "") -> bool:
    """Whether a request with an error tolerance is answered. If not, it is refused, in a stream as well."""
    reply = ask(server, "1 + 1", secret, 0.1)
    if reply.status_code == 200:
        receipt = reply.json()["choices"][0]["receipt"]
        assert (receipt["outcome"], receipt["promise"]["why"]) == ("answered", "")
        return True
    streamed = ask(server, "1 + 1", secret, 0.1, stream=True)
    assert reply.json() == streamed.json()
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["param"]) == (400, "not_promised", "budget.error_tolerance")
    assert "revoked: " in error["message"]
    assert "nothing like it can be promised" in error["message"]
    return False


def test_an_unfamiliar_question_gets_no_promise_by_any_route(keyless: Running) -> None:
    foreign = "A foreign question."
    messages = [{"role": "user", "content": foreign}]
    ids = Tokenizer.load(keyless.app.state.models.find("nano").path).encode_text(foreign)
    bodies: list[tuple[str, dict[str, Any]]] = [
        (CHAT, {"messages": messages}),
        (CHAT, {"messages": messages, "stream": True}),
        (CHAT, {"messages": [{"role": "system", "content": "Be kind."}, *messages]}),
        (CHAT, {"messages": messages, "response_format": {"type": "json_object"}}),
        ("/v1/completions", {"prompt": foreign}),
        ("/v1/completions", {"prompt": foreign, "stream": True}),
        ("/v1/completions", {"prompt": ["1 + 1", foreign]}),
        ("/v1/completions", {"prompt": ids}),
        ("/v1/responses", {"input": foreign}),
        ("/v1/responses", {"input": foreign, "stream": True}),
    ]
    for path, body in bodies:
        budget = {"max_steps": 1, "error_tolerance": 0.1}
        reply = send(keyless, path, {"model": "nano", "budget": budget, **body})
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "not_promised"), body
        assert "nothing is promised about this prompt: it is unlike those" in reply.json()["error"]["message"]
        asked = json.loads(json.dumps(body).replace(foreign, "1 + 1")) if ids not in body.values() else {"prompt": "2"}
        assert send(keyless, path, {"model": "nano", "budget": budget, **asked}).status_code == 200, asked


def test_one_key_revokes_its_own_promise_until_an_operator_lets_it_begin_anew(
    keyed: Running, caplog: pytest.LogCaptureFixture
) -> None:
    assert promised(keyed, "loud")
    for _ in range(8):
        ask(keyed, "wrong", "loud")
    assert not promised(keyed, "loud")
    assert ask(keyed, "1 + 1", "loud").status_code == 200, "without a promise it is answered"
    assert promised(keyed, "quiet")
    values = samples(keyed, "quiet")
    revoked = {labels: value for (name, labels), value in values.items() if name == "tuili_promise_revoked"}
    assert (revoked["caller="], revoked["caller=loud"], revoked["caller=quiet"]) == (0, 1, 0)
    assert values["tuili_promise_evidence_ratio", "alarm=attempts,caller=loud"] >= 1
    assert values["tuili_promise_given_evidence_ratio", "alarm=attempts,caller=loud"] == pytest.approx(0.1)
    assert "a promise is revoked: " in caplog.text
    assert "first attempts of the key loud" in caplog.text

    for path, body in ((f"{OPERATOR}/alarms", None), (f"{OPERATOR}/alarms/reset", {"model": "nano", "key": "loud"})):
        refused = send(keyed, path, body, "loud")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "operator_needed")
    rows = send(keyed, f"{OPERATOR}/alarms", secret="boss").json()["data"]
    assert [(row["key"], row["error_tolerance"]) for row in rows if row["revoked"]] == [("loud", None)]
    assert rows[0]["given"]["loud"] == pytest.approx(0.1)
    for body in ({"model": "nano", "key": "nobody"}, {"model": "other"}):
        assert send(keyed, f"{OPERATOR}/alarms/reset", body, "boss").status_code == 404
    reset = send(keyed, f"{OPERATOR}/alarms/reset", {"model": "nano", "key": "loud"}, "boss")
    assert [row["revoked"] for row in reset.json()["data"]] == [True, False][: len(reset.json()["data"])]
    assert promised(keyed, "loud")


def test_many_keys_together_revoke_for_all(keyed: Running, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(4):
        for number in range(11):
            ask(keyed, "wrong", f"team-{number}")
    assert not promised(keyed, "quiet")
    assert "first attempts of everybody; evidence from " in caplog.text
    assert "team-3 10%" in caplog.text or "team-4 10%" in caplog.text
    send(keyed, f"{OPERATOR}/alarms/reset", {"model": "nano"}, "boss")
    assert promised(keyed, "quiet")


def test_without_keys_there_is_one_alarm_and_only_an_operator_resets_it(keyless: Running) -> None:
    for _ in range(8):
        ask(keyless, "wrong")
    assert not promised(keyless)
    assert not promised(keyless, "unknown"), "clients send some key or other"
    for secret in ("", "unknown"):
        assert send(keyless, f"{OPERATOR}/alarms/reset", {"model": "nano"}, secret).status_code == 403
    rows = send(keyless, f"{OPERATOR}/alarms", secret="boss").json()["data"]
    assert rows[0]["given"]["anonymous"] >= 1
    assert send(keyless, f"{OPERATOR}/alarms/reset", {"model": "nano"}, "boss").status_code == 200
    assert promised(keyless)


def test_random_promised_answers_are_judged_once_each_and_wrong_ones_revoke(keyed: Running) -> None:
    for _ in range(8):
        assert promised(keyed, "quiet")
    ask(keyed, "1 + 1", "quiet")
    ask(keyed, "wrong", "quiet", 0.1)
    for value in ({"type": "integer"}, {"type": "integer", "minimum": 3}):
        schema = {"name": "value", "schema": {"type": "object", "properties": {"value": value}}}
        ask(keyed, "1 + 1", "quiet", 0.1, response_format={"type": "json_schema", "json_schema": schema})
    assert send(keyed, f"{OPERATOR}/audit", {"model": "nano", "count": 4}, "quiet").status_code == 403
    drawn = send(keyed, f"{OPERATOR}/audit", {"model": "nano", "count": MAX_SAMPLE}, "boss").json()["data"]
    assert len(drawn) == 10, "none without a promise, none withheld; whatever form the client wants it in"
    assert {(one["key"], one["prompt"], one["answer"], one["receipt"]["promise"]["why"]) for one in drawn} == {
        ("quiet", "1 + 1", "2", "")
    }
    assert send(keyed, f"{OPERATOR}/audit", {"model": "nano"}, "boss").json()["data"] == [], "each is drawn once"
    for _ in range(20):  # thumbs never count
        send(keyed, "/v1/feedback", {"id": f"chatcmpl-{'0' * 32}", "thumb": "down", "model": "nano"}, "quiet")
    assert promised(keyed, "quiet")
    place = f"{OPERATOR}/audit/{drawn[0]['id']}"
    assert send(keyed, place, {"right": False}, "quiet").status_code == 403
    assert send(keyed, place, {"right": False}, "boss").json() == {"id": drawn[0]["id"], "status": "heard"}
    for path in (place, f"{OPERATOR}/audit/audit-other"):
        unknown = send(keyed, path, {"right": False}, "boss")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "audit_not_found")
    for one in drawn[1:]:
        send(keyed, f"{OPERATOR}/audit/{one['id']}", {"right": False}, "boss")
    assert not promised(keyed, "quiet")
    assert promised(keyed, "loud")


def test_a_key_bounds_the_priority_and_what_is_refused_is_counted(keyed: Running) -> None:
    for secret, priority, status in (("loud", 7, 200), ("loud", 8, 400), ("quiet", 1, 400), ("quiet", -5, 200)):
        reply = ask(keyed, "1 + 1", secret, priority=priority)
        assert reply.status_code == status
        if status == 400:
            assert (reply.json()["error"]["code"], reply.json()["error"]["param"]) == ("invalid_value", "priority")
    assert samples(keyed, "quiet")["tuili_refused_total", "reason=invalid_value"] == 2


def served(folder: Path, **changes: Any) -> Iterator[Running]:
    def make_engine(path: Path) -> Engine:
        return scripted_engine(path, made_up_calibration(**changes))

    yield from running(Settings(keys()), make_engine=make_engine, alarm_files=AlarmFiles(folder))


def test_a_restart_keeps_what_is_revoked_and_forgets_what_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for server in served(tmp_path / "state"):
        for _ in range(8):
            ask(server, "wrong", "loud")
        (file,) = (tmp_path / "state").glob("*.json")
        at_once = Promises(made_up_calibration())
        AlarmFiles(tmp_path / "state").restore("nano", server.app.state.models.find("nano").path, at_once)
        assert at_once.alarms is not None
        assert at_once.alarms.why_revoked("loud", 0.1), "a revocation is kept before its answer is sent"
        ask(server, "wrong", "quiet")
    for server in served(tmp_path / "state"):
        assert not promised(server, "loud")
        rows = send(server, f"{OPERATOR}/alarms", secret="boss").json()["data"]
        assert [row["seen"] for row in rows if row["key"] == "quiet"] == [1], "the rest is kept at the end"
        assert send(server, f"{OPERATOR}/alarms/reset", {"model": "nano", "key": "loud"}, "boss").status_code == 200
    for server in served(tmp_path / "state"):
        assert promised(server, "loud")
        for _ in range(8):
            ask(server, "wrong", "loud")
    whole = file.read_bytes()
    for server in served(tmp_path / "state", delta=0.1):
        assert promised(server, "loud"), "a new calibration begins anew"
    assert f"{file} is of another calibration of nano" in caplog.text
    models = ModelRegistry(("nano",), scripted_engine)
    path = models._paths["nano"]
    damaged_ones = [whole[:100], b"", b"[" * 100_000, b"[]", b"\xff", whole.replace(b'"version": 1', b'"version": 9')]
    damaged_ones.append(whole.replace(b'"seen": ', b'"seen": 1' + b"0" * 400))
    for damaged in damaged_ones:
        file.write_bytes(damaged)
        promises = Promises(made_up_calibration())
        assert not AlarmFiles(tmp_path / "state").restore("nano", path, promises)
        assert promises.alarms is not None
        assert promises.alarms.why_revoked("loud", 0.1) == ""
    assert caplog.text.count("is damaged") == len(damaged_ones)


def test_unsure_first_attempts_revoke_where_no_step_is_wrong(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every answer has a confidence of 0.73, and calibration found one in twenty below 0.9."""
    low = LowConfidence(level=0.9, share=0.05)
    for server in served(tmp_path / "state", low_confidence=low):
        assert promised(server, "loud")
        for _ in range(8):
            ask(server, "1 + 1", "loud")
        refused = ask(server, "1 + 1", "loud", 0.1).json()["error"]
        assert "of loud are unlike the calibration sample" in refused["message"]
        assert "more than 5.0% had little confidence" in refused["message"]
        assert promised(server, "quiet")
        values = samples(server, "quiet")
        assert values["tuili_promise_evidence_ratio", "alarm=confidence,caller=loud"] >= 1
        assert values["tuili_promise_evidence_ratio", "alarm=attempts,caller=loud"] < 0
        assert values["tuili_promise_given_evidence_ratio", "alarm=confidence,caller=loud"] == pytest.approx(0.1)
        assert "first attempts, by their confidence, of the key loud" in caplog.text
        rows = send(server, f"{OPERATOR}/alarms", secret="boss").json()["data"]
        assert [(row["watches"], row["key"]) for row in rows if row["revoked"]] == [("confidence", "loud")]
    for server in served(tmp_path / "state", low_confidence=low):
        assert not promised(server, "loud"), "a restart keeps it"
        send(server, f"{OPERATOR}/alarms/reset", {"model": "nano", "key": "loud"}, "boss")
        assert promised(server, "loud")


def test_a_kill_amid_writing_leaves_the_state_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(kill_amid_writing(tmp_path, monkeypatch))


async def kill_amid_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, promises = AlarmFiles(tmp_path), Promises(made_up_calibration())
    assert promises.alarms is not None
    for _ in range(8):
        promises.alarms.observe_attempt("loud", True)
    await files.keep("nano", tmp_path, promises)
    promises.alarms.reset("loud")

    def die(*_: Any) -> Any:
        raise OSError("killed before the new file takes the place of the old one")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        await files.keep("nano", tmp_path, promises)
    files.close()

    def restored() -> str:
        again = Promises(made_up_calibration())
        AlarmFiles(tmp_path).restore("nano", tmp_path, again)
        assert again.alarms is not None
        return again.alarms.why_revoked("loud", 0.1)

    assert restored().startswith("revoked")
    await files.keep("nano", tmp_path, promises)
    assert restored() == "", "what could not be written is written next time"
    other = AlarmFiles(tmp_path)
    promises.alarms.observe_attempt("loud", True)
    await other.keep("nano", tmp_path, promises)
    assert not other._kept, "one server at a time writes"
    files.close()
    await other.keep("nano", tmp_path, promises)
    assert other._kept
    other.close()


def test_new_weights_begin_anew_and_the_same_ones_go_on(tmp_path: Path) -> None:
    asyncio.run(reload_twice(tmp_path))


async def reload_twice(tmp_path: Path) -> None:
    calibrations = iter([made_up_calibration(), made_up_calibration(), made_up_calibration(delta=0.1)])
    models = ModelRegistry(("nano",), lambda path: scripted_engine(path, next(calibrations)), AlarmFiles(tmp_path))
    assert await models.start()
    alarms = models.find("nano").engine.promises.alarms
    assert alarms is not None
    for _ in range(8):
        alarms.observe_attempt("", True)
    for revoked in (True, False):
        models.find("nano").stamp = ()
        await models.refresh()
        await models.refresh()
        assert any(reading.revoked for reading in models.find("nano").alarms) == revoked
    await models.stop()


def test_every_promised_answer_is_as_likely_to_be_drawn(keyless: Running) -> None:
    answers, audit = [], Audit(chance=random.Random(0))
    engine = scripted_engine(keyless.app.state.models.find("nano").path)
    (answer,) = engine.answer([Request("1 + 1", Budget(error_tolerance=0.1))])
    counts = [0] * 200
    for _ in range(300):
        for number in range(len(counts)):
            audit.offer("nano", str(number), "", answer)
        drawn = audit.draw("nano", MAX_SAMPLE)
        assert len(drawn) == MAX_SAMPLE
        for one in drawn:
            counts[int(one.client)] += 1
        answers += drawn
    expected = 300 * MAX_SAMPLE / len(counts)
    assert max(abs(count - expected) for count in counts) < 5 * expected**0.5
    assert len(audit._waiting) == MAX_WAITING
    assert audit.take(answers[0].id) is None
    assert audit.take(answers[-1].id) == answers[-1]
