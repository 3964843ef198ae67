"""The server process: uvicorn around the application, a log of JSON lines, and a graceful shutdown."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tuili.errors import InputError
from tuili.serve.app import Settings, make_app
from tuili.serve.json_bytes import encode
from tuili.serve.models import ModelRegistry
from tuili.serve.transport import GatheringTransport

LISTEN_BACKLOG = 512
KEEP_ALIVE_SECONDS = 15
MAX_HEADER_BYTES = 32_768
LOG = logging.getLogger(__name__)


class JsonLinesFormatter(logging.Formatter):
    """Writes a record as one JSON object per line: time, level, logger and message. A message of the access log is
    itself JSON, and its fields become part of the same object.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        message = record.getMessage()
        line = {"time": round(time.time(), 3), "level": record.levelname.lower(), "logger": record.name}
        if record.name == "tuili.access":
            return f"{encode(line).decode()[:-1]},{message[1:]}"
        line["message"] = message
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class HeaderTimeoutProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection if the headers of its next request are not complete within `header_seconds`.
    Otherwise, a client that sends its headers byte by byte would occupy a connection forever.
    """

    header_seconds = 15.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer."""
        super().connection_made(GatheringTransport(transport, self.loop))  # type: ignore[arg-type]
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Let the timer run while headers are incomplete, and stop it while a request is answered."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self._start_timer()
        else:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _AnnouncedServer(uvicorn.Server):
    """uvicorn's server, extended to log the addresses of sockets that are passed to it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            where = f"[{host}]" if each.family is socket.AF_INET6 else host
            LOG.info("running on %s://%s:%d", "https" if self.config.ssl else "http", where, port)


def listen(host: str, port: int) -> list[socket.socket]:
    """Open sockets on every address of a host name. Raises `InputError` if one is not available.

    The sockets specify their protocol, because asyncio sets TCP_NODELAY only on sockets that are marked as TCP. Without
    it, a stream repeatedly waits 40 ms for its client's acknowledgement.
    """
    with ExitStack() as stack:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            sockets = []
            for family, kind, protocol, _, address in dict.fromkeys(found):
                sockets.append(stack.enter_context(socket.socket(family, kind, protocol)))
                sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family is socket.AF_INET6:
                    sockets[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sockets[-1].bind(address)
                sockets[-1].listen(LISTEN_BACKLOG)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot listen on {host}:{port}: {reason}; choose another --host or --port") from error
        stack.pop_all()
        return sockets


@contextmanager
def _signals_end_the_server_alone() -> Iterator[None]:
    """Ignore SIGTERM and SIGINT outside uvicorn, which handles them while it runs and repeats them after its end."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@_signals_end_the_server_alone()
def serve(
    models: ModelRegistry,
    settings: Settings,
    host: str,
    port: int,
    drain_seconds: int = 55,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, and then complete the answers that have begun, within `drain_seconds`.

    Raises `InputError`, before a model is loaded, if it cannot listen on the port or the certificate cannot be used.
    Raises the error of a model that could not be loaded.
    """
    server: uvicorn.Server
    if tls_key is not None and tls_cert is None:
        raise InputError("--tls-key is the key of a certificate: give --tls-cert, too")

    def give_up() -> None:
        server.should_exit = True

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLinesFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    config = uvicorn.Config(
        make_app(models, settings, give_up),
        host=host,
        port=port,
        http=HeaderTimeoutProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=LISTEN_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ssl_certfile=tls_cert,
        ssl_keyfile=None if tls_key is None else str(tls_key),
    )
    try:
        config.load()
    except OSError as error:  # ssl's errors are among them
        raise InputError(f"--tls-cert {tls_cert}: no certificate with its key: {error.strerror or error}") from error
    server = _AnnouncedServer(config)
    server.run(listen(host, port))
    if models.failure is not None:
        raise models.failure
