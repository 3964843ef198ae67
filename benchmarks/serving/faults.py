"""Thousands of requests of which most go wrong: whether each comes to one end, and the counters of work to zero.

A real server serves nano; clients speak HTTP over sockets of their own. Some ask whole requests. Others break off in
the body, while they wait, or amid a stream (with a reset or an orderly end), or send a malformed request or one that
must be refused. Inside the server, some calls of the engine and of its listeners fail at random; now and then the whole
engine fails and is made anew. A client that stays must read one answer or one error in the API's form. At the end
nothing may be in flight, the engine's accounts must balance, and the counters must agree with the clients'.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from random import Random
from typing import Any

import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import free_port
from tuili.engine import Attempt, Engine, StepJudged
from tuili.errors import TuiliError
from tuili.serve import (
    HeaderTimeoutProtocol,
    Key,
    Keys,
    ModelRegistry,
    RequestMetrics,
    Settings,
    engine_factory,
    make_app,
)

PATH, SECRET, QUOTA = "/v1/chat/completions", "secret", 1e9
QUESTION = "What is 48 + 27 * 3?"
FORGOTTEN_SECONDS = 60.0
"""After which a client that reads nothing counts as forgotten."""
VALID_BODY: dict[str, Any] = {"model": "nano", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 24}
REFUSED_FIELDS: tuple[dict[str, Any], ...] = (
    {"tools": []},
    {"n": 99},
    {"model": "none"},
    {"budget": {"error_tolerance": 1e-9}},
    {"budget": {"deadline_ms": 1e-6}},
    {"messages": []},
)
CLIENT_WEIGHTS = {
    "whole": 4,
    "streamed": 4,
    "several": 1,
    "malformed": 2,
    "breaks_off_in_the_body": 2,
    "leaves_while_waiting": 4,
    "leaves_amid_the_stream": 6,
}
"""What a client does, and how often in proportion."""
FAILURE_SHARES: tuple[tuple[Any, str, float], ...] = (
    (Engine, "prepare", 0.02),
    (StepJudged, "__init__", 0.005),
    (Attempt, "__init__", 0.01),
    (RequestMetrics, "observe", 0.001),
)
"""What fails inside the server, and in which share of its calls: reading, streaming, checking and counting."""


class Injected(Exception):
    """A failure that this benchmark causes."""


@contextmanager
def failing(rng: Random) -> Iterator[Counter[str]]:
    """Let functions inside the server fail at random; yields how often each has failed."""
    counts: Counter[str] = Counter()

    def wrapped(name: str, function: Callable[..., Any], share: float) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if rng.random() < share:
                counts[name] += 1
                raise Injected(name)
            return function(*arguments, **named)

        return call

    originals = [(part, name, getattr(part, name)) for part, name, _ in FAILURE_SHARES]
    try:
        for part, name, share in FAILURE_SHARES:
            setattr(part, name, wrapped(f"{part.__name__}.{name}", getattr(part, name), share))
        yield counts
    finally:
        for part, name, function in originals:
            setattr(part, name, function)


class Clients:
    """Clients on one port, and how many came to each end."""

    def __init__(self, port: int, rng: Random) -> None:
        self._port, self._rng = port, rng
        self.ends: Counter[str] = Counter()
        self.headers_sent = 0

    async def ask(self, kind: str) -> None:
        """Ask one request of a kind of `CLIENT_WEIGHTS` and count its end."""
        rng = self._rng
        body = VALID_BODY | {"stream": kind in ("streamed", "leaves_amid_the_stream") or rng.random() < 0.3}
        if kind == "malformed":
            body |= rng.choice(REFUSED_FIELDS)
        if kind == "several":
            body |= {"n": rng.randrange(2, 5)}
        content = json.dumps(body).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            cut = rng.randrange(len(content)) if kind == "breaks_off_in_the_body" else len(content)
            writer.write(head.encode() + content[:cut])
            await writer.drain()
            self.headers_sent += 1
            if kind == "breaks_off_in_the_body":
                await asyncio.sleep(rng.uniform(0.001, 0.02))
            elif kind == "leaves_while_waiting":
                await asyncio.sleep(rng.expovariate(20) + 0.001)
            elif kind == "leaves_amid_the_stream":
                for _ in range(rng.randrange(1, 30)):
                    await asyncio.wait_for(reader.readline(), FORGOTTEN_SECONDS)
            else:
                response = await asyncio.wait_for(reader.read(), FORGOTTEN_SECONDS)
                self.ends[f"{kind}: {end_of(response)}"] += 1
                return
            self.ends[f"{kind}: left"] += 1
        except TimeoutError:
            self.ends[f"{kind}: forgotten"] += 1
        except OSError as error:
            self.ends[f"{kind}: {type(error).__name__}"] += 1
        finally:
            if rng.random() < 0.5:
                writer.transport.abort()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def end_of(response: bytes) -> str:
    """What a client read: `answer`, `error` with its status or amid the stream, or `garbled` for anything else."""
    head, _, rest = response.partition(b"\r\n\r\n")
    try:
        status = int(head.split()[1])
        if b"text/event-stream" not in head:
            body = json.loads(rest[rest.index(b"{") : rest.rindex(b"}") + 1])
            whole = "receipt" in body["choices"][0] if status == 200 else set(body) == {"error"}
            return ("answer" if status == 200 else f"error {status}") if whole else "garbled"
        lines = [line[6:] for line in rest.decode().splitlines() if line.startswith("data: ")]
        if lines[-1] == "[DONE]":
            return "answer"
        return "error amid the stream" if "error" in json.loads(lines[-1]) else "garbled"
    except (ValueError, IndexError, KeyError):
        return "garbled"


async def ask_all(
    clients: Clients, models: ModelRegistry, requests: int, together: int, rng: Random, crash_every: int
) -> None:
    """Ask so many requests, `together` at once. After every `crash_every` requests the whole engine fails."""
    kinds = rng.choices(list(CLIENT_WEIGHTS), list(CLIENT_WEIGHTS.values()), k=requests)
    numbers = iter(range(requests))

    def crash() -> None:
        raise Injected("the engine")

    async def go_on() -> None:
        for number in numbers:
            if number and number % crash_every == 0:
                models.find("nano").engine.step = crash  # type: ignore[method-assign,assignment]
            while not models.ready:  # as probes tell a balancer
                await asyncio.sleep(0.05)
            await clients.ask(kinds[number])
            if number % 1000 == 0:
                print(f"{number} of {requests}", flush=True)

    await asyncio.gather(*(go_on() for _ in range(together)))


def disconnected_or_malformed(end: str) -> bool:
    """Whether a client has left early, or has sent a malformed request."""
    return end.startswith(("malformed", "breaks_off", "leaves"))


def sums(text: str) -> Counter[str]:
    """The sums of metrics over their labels; of HTTP metrics, those of `PATH` alone."""
    totals: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("endpoint", PATH) == PATH and sample.labels.get("kind") != "reused":
                totals[sample.name] += sample.value  # type: ignore[assignment]
    return totals


def measure(requests: int = 16_000, together: int = 48, crash_every: int = 600, seed: int = 0) -> Measured:
    """The ends of `requests`, of which `together` are asked at once."""
    logging.disable(logging.CRITICAL)
    threading.excepthook = lambda _: None  # else the engine's thread prints why it ends
    rng, made = Random(seed), Counter[str]()
    keys = Keys(
        [Key(name="one", sha256=sha256(SECRET.encode()).hexdigest(), tokens_per_minute=QUOTA)], clock=lambda: 0.0
    )
    models = ModelRegistry(["nano"], engine_factory(16, 256))
    app = make_app(models, Settings(keys, watch_seconds=0.1))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, backlog=1024, http=HeaderTimeoutProtocol))
    original = RequestMetrics.__init__

    def counted(self: RequestMetrics, *arguments: Any) -> None:
        made["listeners"] += 1
        original(self, *arguments)

    async def main() -> None:
        serving = asyncio.create_task(asyncio.to_thread(server.run))
        while not models.ready:
            await asyncio.sleep(0.05)
        await ask_all(clients, models, requests, together, rng, crash_every)
        until = time.monotonic() + FORGOTTEN_SECONDS
        while app.state.metrics.in_flight.labels("nano")._value.get() and time.monotonic() < until:
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        check(models)
        server.should_exit = True
        await serving

    clients = Clients(port, rng)
    RequestMetrics.__init__ = counted  # type: ignore[method-assign,assignment]
    try:
        with failing(rng) as injected:
            asyncio.run(main())
    finally:
        RequestMetrics.__init__ = original  # type: ignore[method-assign]
        logging.disable(logging.NOTSET)
    counters = sums(app.state.metrics.text().decode())
    charged = QUOTA - keys.authenticate(f"Bearer {SECRET}").tokens.level  # type: ignore[union-attr]
    wrong = ("garbled", "forgotten", "Error")
    checks = {
        "requests": requests,
        "disconnects_and_faults": injected.total()
        + sum(count for end, count in clients.ends.items() if disconnected_or_malformed(end)),
        "forgotten_or_garbled": sum(count for end, count in clients.ends.items() if end.endswith(wrong)),
        "http_not_counted_once": clients.headers_sent - counters["tuili_requests_total"],
        "without_one_end": made["listeners"] - counters["tuili_outcomes_total"] - counters["tuili_refused_total"],
        "in_flight_at_the_end": counters["tuili_requests_in_flight"]
        + counters["tuili_queue_waiting"]
        + counters["tuili_rows_running"],
        "tokens_charged_but_not_counted": charged - counters["tuili_tokens_total"],
        "budget_overruns": counters["tuili_budget_overruns_total"],
        "asked_of_the_engine": made["listeners"],
    }
    figures = {name: Figure("tokens" if "tokens" in name else "requests", [float(n)]) for name, n in checks.items()}
    figures |= {f"injected_{name}": Figure("faults", [float(n)]) for name, n in sorted(injected.items())}
    figures |= {f"end_{name}": Figure("requests", [float(n)]) for name, n in sorted(clients.ends.items())}
    return {"requests": requests, "together": together, "crash_every": crash_every, "seed": seed}, figures


def check(models: ModelRegistry) -> None:
    """Check the accounts of the engine. Raises `TuiliError` where it still holds a request."""
    for served in models.loaded:
        served.engine.check()
        if served.service._streams or served.service._live or served.engine.busy:
            raise TuiliError("the engine holds requests that nobody asks for")


if __name__ == "__main__":
    run("faults", measure)
