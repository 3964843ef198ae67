"""A real server with a real model on a free port, and the official client."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from openai import OpenAI

from tests.waiting import GUARD_SECONDS, eventually
from tuili.serve.alarm_files import AlarmFiles
from tuili.serve.app import Application, Settings, make_app
from tuili.serve.models import EngineFactory, ModelRegistry, engine_factory
from tuili.serve.server import listen


@dataclass
class Running:
    """A server at work in its own thread."""

    app: Application
    url: str
    clients: list[OpenAI] = field(default_factory=list)

    def client(self, key: str = "none") -> OpenAI:
        """The official client, without retries. It is closed with the server."""
        self.clients.append(OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0))
        return self.clients[-1]

    def in_flight(self, model: str = "nano") -> int:
        """How many answers are being worked on, as the server sees it."""
        return int(self.app.state.metrics.in_flight.labels(model)._value.get())

    @contextmanager
    def nothing_written(self, after: int = 0, model: str = "nano") -> Iterator[None]:
        """Within the block the engine stops writing `after` so many tokens; requests still come in and go."""
        engine = self.app.state.models.find(model).engine
        step, stats = engine.step, engine.scheduler.stats
        most = stats.tokens + after

        def step_or_rest() -> Any:
            if stats.tokens < most:
                return step()
            time.sleep(0.001)
            return []

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "step", step_or_rest)
            yield


@contextmanager
def listening(config: dict[str, Any]) -> Iterator[tuple[uvicorn.Server, int]]:
    """A server of uvicorn at work in its own thread, and its port."""
    (taken,) = listen("127.0.0.1", 0)
    with taken:
        server = uvicorn.Server(uvicorn.Config(log_config=None, **config))
        thread = threading.Thread(target=server.run, args=([taken],), daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started or not thread.is_alive(), "the server does not start")
            yield server, taken.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(GUARD_SECONDS)
            assert not thread.is_alive()


def running(
    settings: Settings | None = None,
    folders: tuple[str, ...] = ("nano",),
    slots: int = 8,
    make_engine: EngineFactory | None = None,
    alarm_files: AlarmFiles | None = None,
) -> Iterator[Running]:
    """A server at work until the generator is closed. `make_engine` replaces the usual engine with these `slots`."""
    make_engine = make_engine or engine_factory(slots=slots, waiting=64)
    models = ModelRegistry(folders, make_engine, alarm_files)
    app = make_app(models, settings)
    with listening({"app": app, "timeout_graceful_shutdown": 5}) as (_, port):
        eventually(lambda: models.ready or models.failure, "the models are not loaded")
        assert models.failure is None
        server_at_work = Running(app, f"http://127.0.0.1:{port}")
        yield server_at_work
        for client in server_at_work.clients:
            client.close()
    gc.freeze()  # a server that stops thaws all that the tests have imported


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """A server without keys, for all tests that do not change it."""
    yield from running()
