"""`tuili serve` with an imported model: seconds until it is ready, and its resident memory before and after answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import Server, tuili_server
from benchmarks.imported.prompts import questions
from benchmarks.imported.source import FOLDER, REAL, imported_model

NEW = 64
"""Tokens of an answer, at most."""
AT_ONCE = 16
"""Clients, each of which asks one question after the other."""
UNITS = {"ready": "s", "started": "MB", "answered": "MB"}
GOALS = {"bf16_answered": 700.0, "int8_answered": 450.0, "bf16_ready": 3.0, "int8_ready": 3.0}
"""The largest median of each figure."""


def measure(
    model: str = REAL,
    starts: int = 3,
    requests: int = 64,
    threads: int = 2,
    formats: tuple[str, ...] = ("bf16", "int8"),
    folder: str = str(FOLDER),
) -> Measured:
    """The figures of so many starts in each format, one after the other. model: see `imported_model`."""
    path = imported_model(model, Path(folder)).path
    asked = questions(requests)
    runs: dict[str, list[float]] = {f"{numbers}_{what}": [] for numbers in formats for what in UNITS}
    for _ in range(starts):
        for numbers in formats:
            with tuili_server("--numbers", numbers, model=str(path), threads=threads) as server:
                runs[f"{numbers}_ready"].append(server.seconds_to_ready)
                runs[f"{numbers}_started"].append(server.memory / 1e6)
                answer_all(server, asked)
                runs[f"{numbers}_answered"].append(server.memory / 1e6)
                assert server.stop() == 0
    config = {
        "model": model if model == REAL else "given",
        "starts": starts,
        "requests": requests,
        "at_once": AT_ONCE,
        "new": NEW,
        "threads": threads,
        "goals": GOALS,
    }
    return config, {key: Figure(UNITS[key.rpartition("_")[2]], values) for key, values in runs.items()}


def answer_all(server: Server, asked: list[str]) -> None:
    """Ask all questions, some at a time."""
    with httpx2.Client(base_url=server.url, timeout=600) as client, ThreadPoolExecutor(AT_ONCE) as clients:
        (name,) = [each["id"] for each in client.get("/v1/models").raise_for_status().json()["data"]]

        def ask(question: str) -> None:
            messages = [{"role": "user", "content": question}]
            body = {"model": name, "messages": messages, "max_completion_tokens": NEW}
            client.post("/v1/chat/completions", json=body).raise_for_status()

        list(clients.map(ask, asked))


if __name__ == "__main__":
    run("imported_serving", measure)
