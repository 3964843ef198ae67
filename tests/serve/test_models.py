"""Several models at once; a model whose folder changes is loaded anew, and no answer is lost by that."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from benchmarks.harness.tiny import save_tiny
from tests.serve.conftest import Running, running
from tests.waiting import GUARD_SECONDS, eventually
from tuili.engine import Engine
from tuili.errors import InputError
from tuili.serve.app import Settings, make_app
from tuili.serve.models import ModelRegistry, engine_factory
from tuili.store import SHIPPED_MODELS

ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]
MAKE = engine_factory(2, 8, compiled=False, int8=False)


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
    eventually(lambda: "129" in answers, "the new weights do not answer")


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
