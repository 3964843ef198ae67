"""One test for each way in which servers of this kind have been attacked."""

from __future__ import annotations

import hashlib
import hmac
import pickle
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.serve.conftest import Running
from tuili.engine import Request
from tuili.errors import ModelFolderError
from tuili.serve.errors import HttpError
from tuili.serve.keys import Key, Keys
from tuili.serve.models import engine_factory
from tuili.store import SHIPPED_MODELS

PATH = "/v1/chat/completions"


def ask(server: Running, content: Any, **more: Any) -> Any:
    body = {"model": "nano", "messages": [{"role": "user", "content": content}], **more}
    return server.client()._client.post(f"{server.url}{PATH}", json=body)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path("/nonexistent/never").touch, ()


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "optimizer.pt"])
def test_a_pickle_is_never_loaded(tmp_path: Path, name: str) -> None:
    folder = save_tiny(tmp_path / "model")
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFolderError):
        engine_factory(1, 1)(folder)


def test_a_url_is_never_fetched(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as trap:
        trap.bind(("127.0.0.1", 0))
        trap.listen()
        trap.setblocking(False)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/x"
        for part in (
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "input_file", "file_url": url},
            {"type": "text", "text": "hi", "url": url},
        ):
            assert ask(server, [part]).status_code == 400
        assert ask(server, f"What is at {url}?", max_completion_tokens=3).status_code == 200
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize(
    "more",
    [
        {"n": 10**9},
        {"max_completion_tokens": 10**18},
        {"max_completion_tokens": 2**70},
        {"stop": ["a" * 10**5]},
        {"stop": [str(n) for n in range(10**4)]},
        {"budget": {"max_steps": 10**9}},
        {"budget": {"deadline_ms": 1e300}},
        {"metadata": {str(n): "x" for n in range(1000)}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}},
        {"response_format": {"type": "regex", "pattern": "(a+)+$"}},
        {"seed": -1},
        {"priority": 10**6},
        {"temperature": "NaN"},
    ],
)
def test_what_has_no_bounds_is_refused_at_once(server: Running, more: dict[str, Any]) -> None:
    taken_in = server.app.state.models.find("nano").engine.scheduler.stats
    before = taken_in.submitted
    assert ask(server, "What is 2 + 2?", **more).status_code == 400
    assert taken_in.submitted == before, "the engine has done nothing"


def test_deep_and_odd_json_is_refused(server: Running) -> None:
    raw, headers = server.client()._client, {"content-type": "application/json"}
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (
        deep,
        b'{"messages": ' + deep + b"}",
        b'{"a": 1, ' * 50_000,
        b"\xff\xfe",
        b"NaN",
        b'"\\ud800"',
        b"1e999",
    ):
        reply = raw.post(f"{server.url}{PATH}", content=body, headers=headers)
        assert reply.status_code == 400, body[:20]
    lone = b'{"model": "nano", "messages": [{"role": "user", "content": "\\ud800 2 + 2?"}]}'
    assert raw.post(f"{server.url}{PATH}", content=lone, headers=headers).status_code == 400


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "odd", [b'{"properties": {"\\ud800": {"type": "x"}}}', b'{"default": NaN}', b'{"title": "\\udfff"}']
)
def test_a_schema_that_cannot_be_written_is_refused(server: Running, odd: bytes, stream: bool) -> None:
    raw, headers = server.client()._client, {"content-type": "application/json"}
    more = b', "stream": true}' if stream else b"}"
    named = b'"type": "json_schema", "name": "a", "schema": ' + odd
    chat = b'{"model": "nano", "messages": [{"role": "user", "content": "2 + 2?"}], "response_format": '
    chat += b'{"type": "json_schema", "json_schema": {"name": "a", "schema": ' + odd + b"}}" + more
    item = b'{"model": "nano", "input": "2 + 2?", "text": {"format": {' + named + b"}}" + more
    for path, body in ((PATH, chat), ("/v1/responses", item)):
        reply = raw.post(f"{server.url}{path}", content=body, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_value"), reply.text


def test_special_tokens_and_templates_in_a_prompt_are_plain_text(server: Running) -> None:
    def prompt_tokens(content: str) -> Any:
        return ask(server, content, max_completion_tokens=1).json()["usage"]["prompt_tokens"]

    plain = prompt_tokens("abc")
    for text in ("<|assistant|>", "<|end|>", "<think>", "<|user|>"):
        assert prompt_tokens("abc" + text) >= plain + 3, "several tokens, not a special one"
    reply = ask(server, "{{ 7 * 7 }}{% for x in ''.__class__.__mro__ %}{{ x }}{% endfor %}", max_completion_tokens=40)
    assert "class" not in str(reply.json()["choices"])


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "nano/../nano", "%2e%2e/nano", "~"])
def test_a_models_name_is_never_a_path(server: Running, name: str) -> None:
    assert ask(server, "2 + 2?", model=name).status_code == 404
    assert server.client()._client.get(f"{server.url}/v1/models/{name.replace('/', '%2F')}").status_code == 404


def test_a_folders_template_is_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(SHIPPED_MODELS / "nano", folder)
    (folder / "chat_template.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    engine = engine_factory(1, 4)(folder)
    (answer,) = engine.answer([Request("What is 2 + 2?")])
    assert answer.answer == "4", "questions are put together by hand"


def test_how_long_a_key_is_compared_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [f"secret-{n}" for n in range(64)]
    hashes = [hashlib.sha256(secret.encode()).hexdigest() for secret in secrets]
    keys = Keys([Key(name=f"k{n}", sha256=digest) for n, digest in enumerate(hashes)])

    compared: list[str] = []

    def compare(known: str, given: str) -> bool:
        compared.append(known)
        return hmac.compare_digest(known, given)

    monkeypatch.setattr("tuili.serve.keys.hmac", SimpleNamespace(compare_digest=compare))
    for secret in (secrets[0], secrets[-1], "secret-none"):
        compared.clear()
        with suppress(HttpError):
            keys.authenticate(f"Bearer {secret}")
        assert compared == hashes, "each key is compared, and in constant time"
