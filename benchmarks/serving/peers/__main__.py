"""Servers under load, side by side: ours with nano, and peers with a Llama of the size of nano's active part.

Closed loops of 1, 8 and 64 clients ask unseen problems of nano's domains over HTTP and are streamed the answers. The
load generator runs on the same cores and takes little of them; it is the same for all. nano ends its answers itself,
with checked steps; the peers have random weights and write as many tokens as nano does on average. All servers are
started once and take turns in every round; those that wait are idle. Percentiles are of all answers, throughput is of
the answers within the time, and processor time is the server's.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from benchmarks.engine.peers.contenders import llama_server_version
from benchmarks.harness.cells import RUNS
from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import Server
from benchmarks.harness.texts import own_domains
from benchmarks.serving.peers.client import run_lean_load
from benchmarks.serving.peers.contenders import LLAMA_SERVER, Contender, contenders
from benchmarks.serving.peers.llama import parameters
from tuili.bench import LoadSettings, RequestResult
from tuili.errors import TuiliError
from tuili.tasks import unseen_problems

UNITS = {
    "unanswered": "requests",
    "answers_per_second": "answers/s",
    "tokens_per_second": "tokens/s",
    "tokens_per_cpu_second": "tokens/s",
    "first_p50": "ms",
    "first_p99": "ms",
    "whole_p50": "ms",
    "whole_p99": "ms",
}


def measure(
    clients: tuple[int, ...] = (1, 8, 64),
    seconds: float = 10.0,
    rounds: int = 3,
    threads: int = 2,
    only: tuple[str, ...] = (),
    folder: str = str(RUNS / "serving"),
) -> Measured:
    """Throughput and latency of each server (or `only` some) by number of clients; start and idle memory of each."""
    files = Path(folder)
    files.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in contenders(files, threads) if not only or one.name in only]
    questions = [problem.prompt for problem in unseen_problems(own_domains(), (1, 2), per_cell=8, seed=5)]
    runs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    figures: dict[str, Figure] = {}
    load: list[float] = []
    with ExitStack() as stack:
        servers = {}
        for one in chosen:
            server = servers[one.name] = stack.enter_context(one.start())
            figures[f"{one.name}_seconds_to_ready"] = Figure("s", [server.seconds_to_ready])
            figures[f"{one.name}_idle_memory"] = Figure("MB", [server.memory / 1e6])
        length = mean_length(servers, chosen, questions)
        for number in range(rounds + 1):
            load.append(os.getloadavg()[0])
            for one in chosen if number % 2 else reversed(chosen):
                for count in [count for count in clients if one.only in (None, count)] if number else [8]:
                    loop = ask(servers[one.name], one, count, seconds if number else 2.0, length, questions)
                    print(
                        f"round {number}: {one.name}, {count} clients: {loop['answers_per_second']:.1f}/s", flush=True
                    )
                    for name, value in loop.items() if number else ():  # the first warms up
                        runs[f"{one.name}_{count}"][name].append(value)
    for cell, values in runs.items():
        figures |= {f"{cell}_{name}": Figure(unit, values[name]) for name, unit in UNITS.items()}
    for count in clients:
        figures |= against_llama_cpp(figures, count, [one.name for one in chosen])
    figures["load_average_before"] = Figure("processes", load)
    config: dict[str, Any] = {
        "clients": clients,
        "seconds": seconds,
        "rounds": rounds,
        "threads": threads,
        "only": only,
    }
    about = {"tokens": length, "parameters": parameters(), "llama_server": llama_server_version(LLAMA_SERVER)}
    return config | about | {"numbers": {one.name: one.numbers for one in chosen}}, figures


def against_llama_cpp(figures: Mapping[str, Figure], clients: int, names: Sequence[str]) -> dict[str, Figure]:
    """Our answers a second, and our times to the first token, over those of llama.cpp's server in each format."""
    return {
        f"{one}_{clients}_{name}_over_{other}": ratio(
            figures[f"{one}_{clients}_{name}"], figures[f"{other}_{clients}_{name}"]
        )
        for one in names
        for other in names
        for name in ("answers_per_second", "first_p99")
        if one.startswith("ours")
        and other.startswith("llama_cpp")
        and min(figures[f"{other}_{clients}_{name}"].runs) > 0
    }


def mean_length(servers: dict[str, Server], chosen: Sequence[Contender], questions: Sequence[str]) -> int:
    """The mean tokens of an answer of nano; 60 where nano does not take part."""
    nano = next((one for one in chosen if not one.fixed), None)
    if nano is None:
        return 60
    settings = LoadSettings(servers[nano.name].url, nano.model, clients=8, seconds=10)
    asked = asyncio.run(run_lean_load(settings, questions))
    return round(fmean(one.tokens for one in asked if one.status == 200))


def ask(
    server: Server, one: Contender, clients: int, seconds: float, length: int, questions: Sequence[str]
) -> dict[str, float]:
    """The figures of a closed loop of so many clients, by their names in `UNITS`."""
    tokens = length if one.fixed else 400
    settings = LoadSettings(server.url, one.model, clients=clients, seconds=seconds, max_tokens=tokens)
    before = server.processor_seconds
    asked = asyncio.run(run_lean_load(settings, questions))
    processor = server.processor_seconds - before
    return summary(asked, seconds, processor)


def summary(asked: Sequence[RequestResult], seconds: float, processor: float) -> dict[str, float]:
    """The figures of one loop of so many seconds. Raises `TuiliError` where no question was answered."""
    answered = [answer for answer in asked if answer.status == 200 and answer.first_token is not None]
    if not answered:
        raise TuiliError(f"none of {len(asked)} questions was answered")
    within = [answer for answer in answered if answer.ended <= seconds]
    firsts = [1e3 * (answer.first_token or 0.0) for answer in answered]
    wholes = [1e3 * answer.latency for answer in answered]
    return {
        "unanswered": len(asked) - len(answered),
        "answers_per_second": len(within) / seconds,
        "tokens_per_second": sum(answer.tokens for answer in within) / seconds,
        "tokens_per_cpu_second": sum(answer.tokens for answer in answered) / processor,
        **{f"first_p{part}": cut(firsts, part) for part in (50, 99)},
        **{f"whole_p{part}": cut(wholes, part) for part in (50, 99)},
    }


def cut(values: Sequence[float], part: int) -> float:
    """The percentile `part` of some values."""
    return values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[part - 1]


if __name__ == "__main__":
    run("serving", measure)
