"""Seconds until `tuili serve` is ready, milliseconds of its first answer, and its memory while nobody asks; and seconds
of `tuili ask`, from the start of the process to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import httpx2

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.server import tuili_server

IDLE_SECONDS = 5.0
"""Without a request, after which memory is read."""
QUESTION = {"role": "user", "content": "What is 48 + 27 * 3?"}


def measure(starts: int = 10, threads: int = 2) -> Measured:
    """The figures of so many starts, one after the other."""
    runs: dict[str, list[float]] = {"ready": [], "first_answer": [], "idle": [], "idle_after_an_answer": [], "ask": []}
    for _ in range(starts):
        with tuili_server(threads=threads) as server:
            runs["ready"].append(server.seconds_to_ready)
            time.sleep(IDLE_SECONDS)
            runs["idle"].append(server.memory / 1e6)
            begun = time.perf_counter()
            body = {"model": "nano", "messages": [QUESTION]}
            httpx2.post(f"{server.url}/v1/chat/completions", json=body, timeout=60).raise_for_status()
            runs["first_answer"].append(1e3 * (time.perf_counter() - begun))
            time.sleep(IDLE_SECONDS)
            runs["idle_after_an_answer"].append(server.memory / 1e6)
            assert server.stop() == 0
        begun = time.perf_counter()
        command = [sys.executable, "-m", "tuili", "ask", QUESTION["content"]]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        runs["ask"].append(time.perf_counter() - begun)
    units = {"ready": "s", "first_answer": "ms", "ask": "s"}
    return {"starts": starts, "threads": threads}, {
        name: Figure(units.get(name, "MB"), values) for name, values in runs.items()
    }


if __name__ == "__main__":
    run("startup", measure)
