"""An hour of requests, far below what the server can bear: whether memory stays flat and no request is lost.

Questions come at random (open loop) and are streamed. Beside them, one client after the other hangs up amid its stream.
Resident memory is read every few seconds. The first sixth of the time is the warm-up: caches fill, and the allocator
finds its size. The slope is that of a line through the rest (least squares). At the end the server's own counters must
account for every request.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from statistics import linear_regression

import httpx2

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import Server, tuili_server
from benchmarks.harness.texts import own_domains
from tuili.bench import REQUEST_TIMEOUT_SECONDS, LoadSettings, RequestResult, run_load
from tuili.tasks import unseen_problems

WARM_UP_SHARE = 1 / 6
"""Of the time, which the slope of memory leaves out."""
MEGABYTE = 1e6
"""Bytes."""


async def soak(
    server: Server, minutes: float, rate: float, every: float
) -> tuple[list[RequestResult], int, list[float]]:
    """What became of the questions, how many clients hung up, and the memory in MB."""
    questions = [problem.prompt for problem in unseen_problems(own_domains(), (1, 2), per_cell=8, seed=5)]
    settings = LoadSettings(server.url, "nano", clients=None, rate=rate, seconds=60 * minutes)
    memory: list[float] = []
    left, over = 0, asyncio.Event()

    async def watch() -> None:
        while True:
            memory.append(server.memory / MEGABYTE)
            await asyncio.sleep(every)

    async def leave() -> None:
        nonlocal left
        rng = Random(0)
        async with httpx2.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS) as client:
            while not over.is_set():
                await asyncio.sleep(rng.uniform(0, 2 * every))
                question = {"role": "user", "content": rng.choice(questions)}
                body = {"model": "nano", "messages": [question], "stream": True}
                async with client.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer:
                    left += 1
                    lines = answer.aiter_lines()
                    for _ in range(rng.randrange(2, 20)):
                        await anext(lines, "")

    watching, leaving = asyncio.create_task(watch()), asyncio.create_task(leave())
    begun = time.monotonic()

    def tell(_: str, done: int, __: int) -> None:
        if done % 500 == 0:
            print(f"{(time.monotonic() - begun) / 60:.0f} min: {done} answered, {memory[-1]:.0f} MB", flush=True)

    asked = await run_load(settings, questions, tell)
    over.set()
    await leaving
    watching.cancel()
    return asked, left, memory


def settled_metrics(server: Server) -> dict[str, float]:
    """The metrics once nothing is in flight (those that hung up last are still being cancelled), or after a minute."""
    until = time.monotonic() + 60
    while (metrics := server.metrics())["tuili_requests_in_flight"] and time.monotonic() < until:
        time.sleep(0.1)
    return metrics


def measure(minutes: float = 60.0, rate: float = 2.0, every: float = 5.0) -> Measured:
    """Memory and fates of requests over `minutes` at `rate` questions a second."""
    with tuili_server() as server:
        idle = server.memory / MEGABYTE
        asked, left, memory = asyncio.run(soak(server, minutes, rate, every))
        metrics = settled_metrics(server)
        assert server.stop() == 0
    ended = metrics["tuili_outcomes_total"] + metrics.get("tuili_refused_total", 0)
    warm = memory[int(WARM_UP_SHARE * len(memory)) :]
    slope = linear_regression([place * every / 3600 for place in range(len(warm))], warm).slope
    counts = {
        "requests": len(asked),
        "hung_up": left,
        "lost": sum(one.status == 0 for one in asked),
        "refused": sum(one.status not in (0, 200) for one in asked),
        "not_accounted_for": len(asked) + left - ended,
        "in_flight_at_the_end": metrics["tuili_requests_in_flight"]
        + metrics["tuili_queue_waiting"]
        + metrics["tuili_rows_running"],
        "budget_overruns": metrics.get("tuili_budget_overruns_total", 0),
    }
    figures = {name: Figure("requests", [float(count)]) for name, count in counts.items()}
    figures |= {
        "memory_idle": Figure("MB", [idle]),
        "memory": Figure("MB", memory[:: max(1, len(memory) // 60)]),
        "memory_slope": Figure("MB/hour", [slope]),
        "seconds_to_ready": Figure("s", [server.seconds_to_ready]),
    }
    return {"minutes": minutes, "rate": rate, "every": every, "threads": 1}, figures


if __name__ == "__main__":
    run("soak", measure)
