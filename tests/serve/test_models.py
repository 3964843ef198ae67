"""Several models at once; a model whose folder changes is loaded anew, and no answer is lost by that."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openai import OpenAI
from starlette.testclient import TestClient

from benchmarks.harness.tiny import save_tiny
from tests.serve.conftest import Running, running
from tests.waiting import GUARD_SECONDS, eventually
from tuili.engine import Answered, Closed, Engine, Request
from tuili.errors import InputError
from tuili.serve.app import Settings, _sample_activity, make_app
from tuili.serve.models import ModelRegistry, engine_factory
from tuili.store import SHIPPED_MODELS

ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]
MAKE = engine_factory(2, 8)


def test_a_changed_folder_is_loaded_anew_under_load(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = save_tiny(tmp_path / "own" / "model")
    for server in running(Settings(watch_seconds=0.1), (str(folder), "nano")):
        change_under_load(server, folder, caplog)


def change_under_load(server: Running, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = server.client()
    assert {model.id for model in client.models.list()} == {"own", "nano"}
    before = client.chat.completions.create(model="own", messages=ASKED, max_tokens=30)
    assert before.choices[0].message.content != "129"
    failures, answers, over = list[Exception](), list[str | None](), threading.Event()

    def ask() -> None:
        client = server.client()
        while not over.is_set():
            try:
                completion = client.chat.completions.create(model="own", messages=ASKED, max_tokens=60)
                answers.append(completion.choices[0].message.content)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        change(client, folder, answers, caplog)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures


def change(client: OpenAI, folder: Path, answers: list[str | None], caplog: pytest.LogCaptureFixture) -> None:
    """Change the folder, first to one that cannot be loaded, then to other weights."""
    first = client.models.retrieve("own")
    (folder / "config.json").write_text("{")
    eventually(lambda: "model own stays as it was" in caplog.text, "nobody looks at the folder")
    assert client.models.retrieve("own").created == first.created, "a damaged folder changes nothing"
    shutil.rmtree(folder / "tuili")
    for file in SHIPPED_MODELS.joinpath("nano").glob("*.*"):
        shutil.copy(file, folder)
    with caplog.at_level(logging.INFO, "tuili.serve.models"):
        eventually(lambda: "129" in answers, "the new weights do not answer")
    assert "model own is loaded anew" in caplog.text


def test_names_must_differ_and_models_exist(tmp_path: Path) -> None:
    for place in ("a", "b"):
        save_tiny(tmp_path / place / "same")
    with pytest.raises(InputError, match="two models are called same"):
        ModelRegistry([str(tmp_path / "a" / "same"), str(tmp_path / "b" / "same")], MAKE)
    with pytest.raises(InputError, match="not found"):
        ModelRegistry(["no-such-model"], MAKE)


def test_until_models_are_loaded_probes_say_so_and_clients_wait() -> None:
    loading, go_on = threading.Event(), threading.Event()

    def slowly(path: Path) -> Engine:
        loading.set()
        assert go_on.wait(GUARD_SECONDS)
        return MAKE(path)

    app = make_app(ModelRegistry(["nano"], slowly))
    with TestClient(app) as client:
        assert loading.wait(GUARD_SECONDS)
        assert client.get("/health").status_code == 200
        assert (client.get("/ready").status_code, client.get("/ready").json()) == (503, {"status": "loading"})
        assert 'tuili_ready{model="nano"} 0.0' in client.get("/metrics").text
        assert client.get("/v1/models").json()["data"] == []
        asked = {"model": "nano", "messages": ASKED}
        refused = client.post("/v1/chat/completions", json=asked)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_loading")
        assert refused.headers["retry-after"] == "1"
        go_on.set()
        eventually(lambda: client.get("/ready").status_code == 200, "the model is not loaded")
        assert client.post("/v1/chat/completions", json=asked).json()["choices"][0]["message"]["content"] == "129"
        assert 'tuili_ready{model="nano"} 1.0' in client.get("/metrics").text


def test_a_model_that_cannot_be_loaded_ends_the_command(tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "own")
    (folder / "model.safetensors").write_bytes(b"no weights")
    command = [sys.executable, "-m", "tuili", "serve", "nano", str(folder), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False)
    assert done.returncode == 2
    assert "model.safetensors" in done.stderr.splitlines()[-1]


def test_one_long_stream_holds_up_no_other_model_and_no_collection_stops_the_server(tmp_path: Path) -> None:
    folders = [save_tiny(tmp_path / name) for name in ("first", "second")]
    looked_through: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            looked_through.append(len(gc.get_objects()))

    async def main() -> None:
        models = ModelRegistry(list(map(str, folders)), MAKE)
        assert await models.start()
        frozen, old = gc.get_freeze_count(), models.find("first")
        engine = weakref.ref(old.engine)
        stream = old.batches(await old.prepare(Request("What is 1 + 1?")))
        await anext(stream)
        del old
        for folder in folders:
            os.utime(folder / "config.json")
        gc.callbacks.append(note)
        try:
            assert await models.refresh() == [], "copying may go on"
            assert await models.refresh() == ["first", "second"]
            assert len(models._leaving) >= 1, "it still answers"
            assert models.find("first").engine is not engine()
            assert isinstance([batch async for batch in stream][-1][-1], Answered)
            await until(lambda: engine() is None and not models._leaving)
        finally:
            gc.callbacks.remove(note)
        assert gc.get_freeze_count() > frozen / 2, "what was loaded stays out of collections"
        await models.stop()

    asyncio.run(main())
    assert looked_through, "what is new was looked through"
    assert max(looked_through) < 100_000


def test_at_the_end_a_model_that_was_replaced_ends_too(tmp_path: Path) -> None:
    async def main() -> None:
        folder = save_tiny(tmp_path / "own")
        models = ModelRegistry([str(folder)], MAKE)
        await models.start()
        old = models.find("own")
        stream = old.batches(await old.prepare(Request("What is 1 + 1?")))
        await anext(stream)
        os.utime(folder / "config.json")
        await models.refresh()
        await models.refresh()
        assert old.alive
        await models.stop()
        assert not old.alive

    asyncio.run(main())


def test_a_model_that_cannot_be_observed_stops_no_other_and_is_looked_at_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd:
        name, error, looks = "odd", Exception("no such head"), 0

        async def observe(self) -> None:
            self.looks += 1
            raise self.error

    class Replaced(Odd):
        name, error = "replaced", Closed("it has been replaced")

    async def main() -> None:
        odd, replaced, last = Odd(), Replaced(), Odd()
        models: Any = SimpleNamespace(loaded=[odd, replaced, last])
        task = asyncio.create_task(_sample_activity(models, SimpleNamespace(), 0))  # type: ignore[arg-type]
        await until(lambda: last.looks > 1 or task.done())
        task.cancel()
        assert min(odd.looks, replaced.looks, last.looks) > 1

    asyncio.run(main())
    assert "model odd cannot be observed" in caplog.text
    assert "no such head" in caplog.text
    assert "replaced" not in caplog.text


async def until(holds: Callable[[], bool]) -> None:
    """Wait, beside what else the loop does, until something holds."""
    async with asyncio.timeout(GUARD_SECONDS):
        while not holds():
            await asyncio.sleep(0.005)
