"""The process: uvicorn around the application, logs as lines of JSON, and an end in which nothing is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tuili.serve.app import Settings, make_app
from tuili.serve.models import Models

HEADER_SECONDS = 15.0
BACKLOG, KEPT_ALIVE, HEADER_BYTES = 512, 15, 32_768


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, and what was said, itself JSON where the access log says it."""

    def format(self, record: logging.LogRecord) -> str:
        """A line."""
        said = record.getMessage()
        line = {"time": round(time.time(), 3), "level": record.levelname.lower(), "logger": record.name}
        line |= json.loads(said) if record.name == "tuili.access" else {"message": said}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Impatient(H11Protocol):
    """Closes a connection on which a request has not begun in time: headers that trickle in would hold it for ever."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on waiting from the first byte of a request to the last one of its headers."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._wait()
        else:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def serve(
    models: Models,
    settings: Settings,
    host: str,
    port: int,
    drain: int = 55,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Serve until the process is told to end, and then until what is being answered has ended, `drain` seconds at most.

    Raises what was wrong with a model that could not be loaded.
    """
    server: uvicorn.Server

    def give_up() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):  # which uvicorn raises once more when it has ended all
        signal.signal(number, lambda *_: None)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    config = uvicorn.Config(
        make_app(models, settings, give_up),
        host=host,
        port=port,
        http=Impatient,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEPT_ALIVE,
        timeout_graceful_shutdown=drain,
        h11_max_incomplete_event_size=HEADER_BYTES,
        ssl_certfile=tls_cert,
        ssl_keyfile=None if tls_key is None else str(tls_key),
    )
    server = uvicorn.Server(config)
    server.run()
    if models.failure is not None:
        raise models.failure
