"""A busy server that gets SIGTERM again and again: whether an answer that was begun is ever lost.

In each round the clients ask at once, half of them for streams, each over a connection of its own. Once the server has
admitted all of them it gets SIGTERM. A question that is not answered by then is in flight; it is lost unless its client
gets the whole answer. Meanwhile late clients go on asking. They may be refused, by a connection that is not accepted or
with status 503, but an answer to them must be whole as well. The next server starts while the old one ends.
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
from benchmarks.harness.server import Server, tuili_server
from benchmarks.harness.texts import own_domains
from tuili.errors import TuiliError
from tuili.tasks import unseen_problems

LATE_CLIENTS = 8
"""That ask while the server ends."""
PATIENCE_SECONDS = 300
"""How long a server may take to let everybody in, and to end: the machine may be busy."""
WHOLE, CUT, REFUSED = "whole", "cut", "refused"


async def fate(server: Server, question: str, tokens: int, stream: bool) -> tuple[str, float]:
    """What became of one question over a connection of its own, and the time of its end in seconds.

    The question is cut where its answer has begun and does not end as it should. Without an answer it is refused.
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
            httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client,
            client.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer,
        ):
            begun = answer.status_code == 200
            text = (await answer.aread()).decode()
            if begun and (text.endswith("data: [DONE]\n\n") if stream else "receipt" in json.loads(text)["choices"][0]):
                return WHOLE, time.perf_counter()
    except (httpx2.HTTPError, json.JSONDecodeError):
        pass
    return (CUT if begun else REFUSED), time.perf_counter()


async def restart(server: Server, questions: list[str], clients: int, tokens: int) -> tuple[Counter[str], Counter[str]]:
    """End one server under load: the fates of the questions in flight at the signal, and of the late ones."""
    asked = [
        asyncio.create_task(fate(server, questions[number % len(questions)], tokens, number % 2 == 0))
        for number in range(clients)
    ]
    until = time.perf_counter() + PATIENCE_SECONDS
    while await asyncio.to_thread(admitted, server) < clients:
        if time.perf_counter() > until:
            raise TuiliError("the server does not let everybody in")
        await asyncio.sleep(0.02)
    signalled = time.perf_counter()
    server.process.send_signal(signal.SIGTERM)
    late: Counter[str] = Counter()

    async def ask_late() -> None:
        while server.process.poll() is None:
            late[(await fate(server, questions[0], tokens, False))[0]] += 1
            await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(ask_late()) for _ in range(LATE_CLIENTS)]
    fates = await asyncio.gather(*asked)
    status = await asyncio.to_thread(server.process.wait, PATIENCE_SECONDS)
    await asyncio.gather(*tasks)
    if status:
        raise TuiliError(f"the server has ended with status {status}")
    return Counter(end for end, when in fates if when > signalled), late


def admitted(server: Server) -> float:
    """The number of requests that the engine has admitted so far."""
    metrics = server.metrics()
    return metrics["tuili_requests_in_flight"] + metrics.get("tuili_outcomes_total", 0)


def measure(restarts: int = 100, clients: int = 128, tokens: int = 24) -> Measured:
    """Fates of the questions in flight at `restarts`, with `clients` at once that ask for `tokens` each."""
    questions = [problem.prompt for problem in unseen_problems(own_domains(), (1, 2), per_cell=4, seed=6)]
    Random(0).shuffle(questions)
    in_flight: list[float] = []
    lost: list[float] = []
    seconds: list[float] = []
    memory: list[float] = []
    late: Counter[str] = Counter()

    async def all_of_them() -> None:
        coming = asyncio.create_task(asyncio.to_thread(tuili_server))
        for number in range(restarts):
            server = await coming
            seconds.append(server.seconds_to_ready)
            memory.append(server.memory / 1e6)
            if number + 1 < restarts:
                coming = asyncio.create_task(asyncio.to_thread(tuili_server))
            with server:
                fates, late_fates = await restart(server, questions, clients, tokens)
            in_flight.append(fates.total())
            lost.append(fates.total() - fates[WHOLE])
            late.update(late_fates)
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
    return {
        "restarts": restarts,
        "clients": clients,
        "tokens": tokens,
        "late_clients": LATE_CLIENTS,
        "threads": 1,
    }, figures


if __name__ == "__main__":
    run("restarts", measure)
