"""A real server with a real model on a free port, and the official client."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from fastapi import FastAPI
from openai import OpenAI

from tuili.serve.app import Settings, make_app
from tuili.serve.models import EngineFactory, ModelRegistry, engine_factory


@dataclass
class Running:
    """A server at work in its own thread."""

    app: FastAPI
    url: str
    clients: list[OpenAI] = field(default_factory=list)

    def client(self, key: str = "none") -> OpenAI:
        """The official client, without retries. It is closed with the server."""
        self.clients.append(OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0))
        return self.clients[-1]


def running(
    settings: Settings | None = None,
    folders: tuple[str, ...] = ("nano",),
    slots: int = 8,
    make_engine: EngineFactory | None = None,
) -> Iterator[Running]:
    """A server at work until the generator is closed. `make_engine` replaces the usual engine with these `slots`."""
    make_engine = make_engine or engine_factory(slots=slots, waiting=64, compiled=False, int8=False)
    app = make_app(ModelRegistry(folders, make_engine), settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not (server.started and app.state.models.ready) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert app.state.models.ready
    server_at_work = Running(app, f"http://127.0.0.1:{port}")
    yield server_at_work
    for client in server_at_work.clients:
        client.close()
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """A server without keys, for all tests that do not change it."""
    yield from running()
