"""What metrics cost: a server with all its metrics, sampled probes and scrapes, and the same server without.

Signals switch the metrics of one process on and off, for two processes with the same work may differ by more than is
measured here. The server is asked the same questions in every turn, streamed, in a closed loop. Processor time is that
of the server's process, so that other work on the machine does not count. Without metrics no counter is looked up or
changed, listeners hear nothing, no answer is looked at, and nobody scrapes.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import Any

import httpx2
from prometheus_client import Counter, Gauge, Histogram

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import Server, free_port
from benchmarks.harness.texts import own_domains
from tuili.engine import Engine
from tuili.serve import ModelRegistry, RequestMetrics, Settings, engine_factory, serve
from tuili.tasks import unseen_problems

SCRAPE_SECONDS = 15.0
"""Between two scrapes, as the deployment has it."""
METRIC_TYPES, METRIC_CHANGES = (Counter, Gauge, Histogram), ("inc", "dec", "set", "observe")


def serve_switchable(port: int) -> None:
    """Serve until the process is ended. SIGUSR2 switches the metrics off, SIGUSR1 on."""
    nothing: dict[tuple[type, str], Any] = {
        (RequestMetrics, "__init__"): lambda listener, metrics, model, request, now: setattr(
            listener, "request", request
        ),
        (RequestMetrics, "finish"): lambda _: 0,
        (Engine, "observe"): lambda _: None,
        **{(RequestMetrics, name): lambda *_: None for name in ("set_prompt_tokens", "observe", "record_error")},
        **{(metric, "labels"): lambda counter, *_: counter for metric in METRIC_TYPES},
        **{
            (metric, name): lambda *_: None
            for metric in METRIC_TYPES
            for name in METRIC_CHANGES
            if hasattr(metric, name)
        },
    }
    counting = {place: getattr(*place) for place in nothing}

    def switch(number: int, _: object) -> None:
        for (part, name), function in (counting if number == signal.SIGUSR1 else nothing).items():
            setattr(part, name, function)

    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, switch)
    serve(ModelRegistry(["nano"], engine_factory(16, 256)), Settings(), "127.0.0.1", port)


def switchable_server() -> Server:
    """`serve_switchable` in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.metrics_cost", "--serve", str(port)]
    return Server(command, port, environment={"OMP_NUM_THREADS": "1"})


class Scraper:
    """Reads the metrics every `SCRAPE_SECONDS`, counted across turns."""

    def __init__(self, server: Server) -> None:
        self._url, self._due = f"{server.url}/metrics", time.perf_counter()

    async def go_on(self) -> None:
        """Scrape whenever it is time, until cancelled."""
        async with httpx2.AsyncClient() as http:
            while True:
                await asyncio.sleep(self._due - time.perf_counter())
                self._due = max(self._due + SCRAPE_SECONDS, time.perf_counter())
                (await http.get(self._url)).raise_for_status()


async def ask(server: Server, questions: list[str], clients: int, scraper: Scraper | None) -> tuple[float, float]:
    """Ask all questions; the processor seconds of the server, and the seconds by the clock, that it took."""
    rest = iter(questions)

    async def client() -> None:
        async with httpx2.AsyncClient(timeout=120) as http:
            for question in rest:
                body = {"model": "nano", "messages": [{"role": "user", "content": question}], "stream": True}
                (await http.post(f"{server.url}/v1/chat/completions", json=body)).raise_for_status()

    before, begun = server.processor_seconds, time.perf_counter()
    scraping = asyncio.create_task(scraper.go_on()) if scraper else None
    await asyncio.gather(*(client() for _ in range(clients)))
    if scraping:
        scraping.cancel()
    return server.processor_seconds - before, time.perf_counter() - begun


def measure(rounds: int = 20, questions: int = 256, clients: int = 16) -> Measured:
    """Answers per second of processor time with and without metrics, in `rounds` of turns, and the share lost, in %."""
    prompts = [problem.prompt for problem in unseen_problems(own_domains(), (1, 2), per_cell=8, seed=5)][:questions]
    speeds: dict[str, list[float]] = {"with": [], "without": []}
    walls: dict[str, list[float]] = {"with": [], "without": []}
    with switchable_server() as server:
        scraper = Scraper(server)
        for number in range(rounds + 1):
            for name in ("with", "without")[:: 1 if number % 2 else -1]:
                server.process.send_signal(signal.SIGUSR1 if name == "with" else signal.SIGUSR2)
                time.sleep(0.2)
                processor, wall = asyncio.run(ask(server, prompts, clients, scraper if name == "with" else None))
                if number:  # the first warms up
                    speeds[name].append(questions / processor)
                    walls[name].append(questions / wall)
        server.stop()
    lost = [100 * (1 - a / b) for a, b in zip(speeds["with"], speeds["without"], strict=True)]
    figures = {f"answers_per_cpu_second_{name}": Figure("answers/s", values) for name, values in speeds.items()}
    figures |= {f"answers_per_second_{name}": Figure("answers/s", values) for name, values in walls.items()}
    figures["lost"] = Figure("%", lost)
    return {
        "rounds": rounds,
        "questions": questions,
        "clients": clients,
        "scrape_seconds": SCRAPE_SECONDS,
        "threads": 1,
    }, figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve_switchable(int(sys.argv[2]))
    else:
        run("metrics_cost", measure)
