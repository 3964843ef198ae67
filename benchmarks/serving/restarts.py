"""A server that is told to end again and again while it is busy: whether an answer that was begun is ever lost.

In each round so many clients ask at once, half of them for streams, each over a connection of its own. Once the server
has let all of them in it gets SIGTERM; what it has not answered by then is in flight, and lost unless the client gets
the whole answer. Meanwhile late clients go on asking: they may be refused, by a connection that is not accepted or
with status 503, but what they are answered must be whole as well. The next server starts while the old one ends.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from random import Random

import httpx2

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import Server, ours
from tuili.errors import TuiliError
from tuili.eval import unseen_problems
from tuili.tasks import domain_names

LATE = 8
"""Clients that ask while the server ends."""
WHOLE, CUT, REFUSED = "whole", "cut", "refused"


async def fate(server: Server, question: str, tokens: int, stream: bool) -> tuple[str, float]:
    """What became of one question over a connection of its own, and when. It is cut where an answer has begun and does
    not end as it should; without an answer it is refused.
    """
    body = {
        "model": "nano",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": tokens,
        "stream": stream,
    }
    begun = False
    try:
        async with (
            httpx2.AsyncClient(timeout=120) as client,
            client.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer,
        ):
            begun = answer.status_code == 200
            said = (await answer.aread()).decode()
            if begun and (said.endswith("data: [DONE]\n\n") if stream else "receipt" in json.loads(said)["choices"][0]):
                return WHOLE, time.perf_counter()
    except (httpx2.HTTPError, json.JSONDecodeError):
        pass
    return (CUT if begun else REFUSED), time.perf_counter()


async def round_of(
    server: Server, questions: list[str], clients: int, tokens: int
) -> tuple[Counter[str], Counter[str]]:
    """One round: what became of what was in flight at the signal, and of what came late."""
    asked = [
        asyncio.create_task(fate(server, questions[number % len(questions)], tokens, number % 2 == 0))
        for number in range(clients)
    ]
    until = time.perf_counter() + 60
    while await asyncio.to_thread(let_in, server) < clients:
        if time.perf_counter() > until:
            raise TuiliError("the server does not let everybody in")
        await asyncio.sleep(0.02)
    told = time.perf_counter()
    server.process.send_signal(signal.SIGTERM)
    late: Counter[str] = Counter()

    async def ask_late() -> None:
        while server.process.poll() is None:
            late[(await fate(server, questions[0], tokens, False))[0]] += 1
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(ask_late()) for _ in range(LATE)]
    fates = await asyncio.gather(*asked)
    status = await asyncio.to_thread(server.process.wait, 60)
    await asyncio.gather(*tasks)
    if status:
        raise TuiliError(f"the server has ended with status {status}")
    return Counter(end for end, when in fates if when > told), late


def let_in(server: Server) -> float:
    """Requests that the engine has taken in."""
    told = server.metrics()
    return told["tuili_requests_in_flight"] + told.get("tuili_outcomes_total", 0)


def measure(restarts: int = 100, clients: int = 128, tokens: int = 24) -> Measured:
    """Fates of what was in flight in `restarts`, with `clients` at once that ask for `tokens` each."""
    questions = [problem.prompt for problem in unseen_problems(domain_names(), (1, 2), per_cell=4, seed=6)]
    Random(0).shuffle(questions)
    in_flight: list[float] = []
    lost: list[float] = []
    seconds: list[float] = []
    memory: list[float] = []
    late: Counter[str] = Counter()

    async def all_of_them() -> None:
        coming = asyncio.create_task(asyncio.to_thread(ours))
        for number in range(restarts):
            server = await coming
            seconds.append(server.seconds_to_ready)
            memory.append(server.memory / 1e6)
            if number + 1 < restarts:
                coming = asyncio.create_task(asyncio.to_thread(ours))
            with server:
                fates, own = await round_of(server, questions, clients, tokens)
            in_flight.append(fates.total())
            lost.append(fates.total() - fates[WHOLE])
            late.update(own)
            print(f"{number + 1} of {restarts}: {sum(in_flight):.0f} in flight, {sum(lost):.0f} lost", flush=True)

    asyncio.run(all_of_them())
    figures = {
        "in_flight": Figure("requests", [sum(in_flight)]),
        "in_flight_a_restart": Figure("requests", in_flight),
        "lost": Figure("requests", [sum(lost)]),
        **{f"late_{name}": Figure("requests", [float(late[name])]) for name in (WHOLE, REFUSED, CUT)},
        "seconds_to_ready": Figure("s", seconds),
        "memory_when_ready": Figure("MB", memory),
    }
    return {"restarts": restarts, "clients": clients, "tokens": tokens, "late_clients": LATE, "threads": 1}, figures


if __name__ == "__main__":
    run("restarts", measure)
