"""A fault inside the server becomes an error of the right form, is counted, and leaves the server working."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from benchmarks.harness.tiny import save_tiny
from tests.serve.conftest import Running, listening, running
from tests.serve.test_keys import key
from tests.waiting import GUARD_SECONDS, eventually, happened
from tuili.engine import Engine, Request
from tuili.serve.app import Settings
from tuili.serve.keys import Keys
from tuili.serve.models import engine_factory
from tuili.serve.served_model import folder_stamp
from tuili.serve.server import HeaderTimeoutProtocol
from tuili.store import SHIPPED_MODELS

ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]


@pytest.fixture(scope="module")
def may_load() -> threading.Event:
    """Set while the server may load models."""
    event = threading.Event()
    event.set()
    return event


@pytest.fixture(scope="module")
def fragile(may_load: threading.Event) -> Iterator[Running]:
    keys = Keys([key("meter", "one", tokens_per_minute=120), key("free", "two")], clock=lambda: 0.0)
    make = engine_factory(slots=1, waiting=64)

    def make_when_allowed(path: Path) -> Engine:
        assert may_load.wait(GUARD_SECONDS)
        return make(path)

    yield from running(Settings(keys, watch_seconds=0.1), make_engine=make_when_allowed)


def test_an_engine_that_has_failed_is_not_ready_and_is_made_anew(
    fragile: Running, may_load: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    client = fragile.client("two")
    raw, served = client._client, fragile.app.state.models.find("nano")

    def fail() -> None:
        raise RuntimeError("no memory")

    served.engine.step = fail
    may_load.clear()
    reply = raw.post(
        f"{fragile.url}/v1/chat/completions",
        json={"model": "nano", "messages": ASKED},
        headers={"authorization": "Bearer two"},
    )
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "server_error")
    assert raw.get(f"{fragile.url}/ready").status_code == 503
    may_load.set()
    eventually(lambda: raw.get(f"{fragile.url}/ready").status_code == 200, "no new engine is made")
    assert client.chat.completions.create(model="nano", messages=ASKED).choices[0].message.content == "129"


def test_an_error_nobody_thought_of_is_told_and_counted(fragile: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Engine, "prepare", fail)
    monkeypatch.setattr("tuili.serve.routes.responses.engine_request", fail)
    raw, headers = fragile.client()._client, {"authorization": "Bearer two"}
    for path, body in (("chat/completions", {"messages": ASKED}), ("responses", {"input": "2 + 2"})):
        reply = raw.post(f"{fragile.url}/v1/{path}", json={"model": "nano", **body}, headers=headers)
        assert reply.status_code == 500
        assert reply.json()["error"]["code"] == "server_error"
        assert reply.headers["x-request-id"]
        assert "secret" not in reply.text
        counted = raw.get(f"{fragile.url}/metrics", headers=headers).text
        assert f'endpoint="/v1/{path}",model="nano",status="500"' in counted


def test_who_hangs_up_pays_for_what_was_written_and_no_more(fragile: Running) -> None:
    """The quota is of 120 tokens, and the prompt has some 20."""

    async def main() -> None:
        async with AsyncOpenAI(base_url=f"{fragile.url}/v1", api_key="one", max_retries=0) as client:
            with fragile.nothing_written(after=36):
                stream = await client.chat.completions.create(model="nano", messages=ASKED, stream=True, max_tokens=100)
                written = 0
                async for chunk in stream:
                    written += "depth" in (chunk.choices[0].model_extra or {})
                    if written == 35:
                        break
                await stream.close()
                await happened(lambda: not fragile.in_flight(), "nobody notices that the client has left")
            with pytest.raises(Exception, match="tokens a minute"):
                await client.chat.completions.create(model="nano", messages=ASKED, max_tokens=100)
            await client.chat.completions.create(model="nano", messages=ASKED, max_tokens=50)

    asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_the_queue_gives_up_the_place(fragile: Running, stream: bool) -> None:
    """One of six is being answered."""
    served = fragile.app.state.models.find("nano")

    async def main() -> None:
        async with AsyncOpenAI(base_url=f"{fragile.url}/v1", api_key="two", max_retries=0) as client:
            asked = [
                asyncio.create_task(client.chat.completions.create(model="nano", messages=ASKED, stream=stream))
                for _ in range(6)
            ]
            await happened(lambda: (served.running, served.waiting) == (1, 5), "not all arrive")
            for task in asked:
                task.cancel()
            for begun in await asyncio.gather(*asked, return_exceptions=True):
                if not isinstance(begun, BaseException):
                    await begun.close()
            await happened(lambda: not served.waiting + served.running, "nobody notices that they have left")
            await happened(lambda: not fragile.in_flight(), "they are not counted as gone")

    with fragile.nothing_written(after=1):
        asyncio.run(main())


def test_weights_at_work_are_not_the_files(tmp_path: Path) -> None:
    """Overwriting a memory-mapped file would end the process."""
    folder = tmp_path / "own"
    shutil.copytree(SHIPPED_MODELS / "nano", folder)
    engine = engine_factory(1, 4)(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(b"")
    (answer,) = engine.answer([Request("What is 48 + 27 * 3?", depth=12)])
    assert answer.answer == "129"


def test_a_file_that_vanishes_meanwhile_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_tiny(tmp_path / "model")
    whole = folder_stamp(folder)
    real_stat = Path.stat

    def vanish(self: Path, **options: Any) -> Any:
        if self.name == "config.json":
            raise FileNotFoundError
        return real_stat(self, **options)

    monkeypatch.setattr(Path, "stat", vanish)
    assert [entry[0] for entry in folder_stamp(folder)] == [entry[0] for entry in whole if entry[0] != "config.json"]


class HastyProtocol(HeaderTimeoutProtocol):
    header_seconds = 0.2


def test_a_connection_that_asks_nothing_is_closed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with listening({"app": app, "http": HastyProtocol, "lifespan": "off"}) as (_, port):
        for before in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=GUARD_SECONDS) as slow:
                if before:
                    slow.sendall(before)
                    assert b" 204 " in slow.recv(1000)
                slow.settimeout(0.05)
                eventually(lambda: trickled_in_vain(slow), "it is not closed")


def trickled_in_vain(connection: socket.socket) -> bool:
    """Send one more byte of headers that never end. Whether the connection has been closed."""
    try:
        connection.sendall(b"G")
        return connection.recv(100) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_the_official_client_sees_an_error_of_its_own_kind(fragile: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "prepare", lambda *_: 1 / 0)
    with pytest.raises(Exception, match="an error inside the server") as raised:
        OpenAI(base_url=f"{fragile.url}/v1", api_key="two", max_retries=0).chat.completions.create(
            model="nano", messages=ASKED
        )
    assert type(raised.value).__name__ == "InternalServerError"
