"""One view of all processes of a run: how fast each one is, which waits for which, and how much each has sent.

Each process measures itself with a `Meter`; in process 0, `Workers` adds up what all report with each step. `log` and
`textfile` show the result.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEDULER = Path("/proc/thread-self/schedstat")
SENT_BYTES = slice(200, 208)
"""The part of Linux's `struct tcp_info` that holds the number of bytes that a TCP socket has sent."""


@dataclass(frozen=True)
class Work:
    """What one process has done in a step.

    seconds: the time in which it computed or waited for a core, but not for other processes. sent: bytes over TCP.
    """

    tokens: int
    seconds: float
    sent: int


def busy_seconds() -> float:
    """The seconds for which this thread has so far computed or, on Linux only, waited for a core."""
    with suppress(OSError, ValueError):
        computed, waited, _ = SCHEDULER.read_text().split()
        return (int(computed) + int(waited)) / 1e9
    return time.thread_time()


def sent_bytes() -> dict[str, int]:
    """The bytes that each open socket of this process has sent over TCP so far, by its name; empty except on Linux.

    This counts whatever is sent through sockets, as by gloo, including the sender's own headers but not those of TCP.
    """
    sent = dict[str, int]()
    with suppress(OSError):
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # not a TCP socket, or just closed
                if (name := str(link.readlink())).startswith("socket:"):
                    with socket.socket(fileno=os.dup(int(link.name))) as twin:
                        told = twin.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SENT_BYTES.stop)
                        sent[name] = int.from_bytes(told[SENT_BYTES], "little")
    return sent


class Meter:
    """Measures the steps of this process, from one call of `read` to the next."""

    def __init__(
        self, busy: Callable[[], float] = busy_seconds, sent: Callable[[], Mapping[str, int]] = sent_bytes
    ) -> None:
        self._busy, self._sent = busy, sent
        self._before = busy(), sent()

    def read(self, tokens: int) -> Work:
        """The work since the last call, on `tokens` tokens. What a socket has sent since then is not counted if it has
        been closed."""
        now = self._busy(), self._sent()
        (busy, sent), self._before = self._before, now
        return Work(tokens, now[0] - busy, sum(count - sent.get(name, 0) for name, count in now[1].items()))


class Workers:
    """The work of a run's processes between two lines of its log."""

    def __init__(self, restarts: int = 0, lost: Sequence[int] = ()) -> None:
        self.restarts, self.lost = restarts, Counter(lost)
        """How often the processes restarted because one was lost, and how often each one was, as far as is known."""
        self._steps: list[Sequence[Work]] = []

    def add(self, works: Sequence[Work]) -> None:
        """Record a step: what each process has done, in rank order."""
        self._steps.append(works)

    def take(self, seconds: float) -> dict[str, Any] | None:
        """The entry in the log for the steps since the last call, which took `seconds`.

        Its lists are in rank order: each process's tokens per second of its own work; the share of the time for which
        it waited because the slowest one had more work; bytes sent; how often it was lost. None for a single process.
        """
        steps, self._steps = self._steps, []
        if not steps or len(steps[0]) < 2:
            return None
        of_workers = [(sum(w.tokens for w in own), sum(w.seconds for w in own), sum(w.sent for w in own))
                      for own in zip(*steps, strict=True)]  # fmt: skip
        busy = [spent for _, spent, _ in of_workers]
        waits = [sum(max(w.seconds for w in step) - step[rank].seconds for step in steps) for rank in range(len(busy))]
        return {
            "tokens_per_second": [tokens / max(spent, 1e-9) for tokens, spent, _ in of_workers],
            "waiting": [wait / max(seconds, 1e-9) for wait in waits],
            "slowest": busy.index(max(busy)),
            "sent_bytes": [sent for *_, sent in of_workers],
            "restarts": self.restarts,
            "lost": [self.lost[rank] for rank in range(len(busy))],
        }


def in_words(view: dict[str, Any], seconds: float) -> str:
    """A view, formatted as a line for the user."""
    speeds, slowest = view["tokens_per_second"], view["slowest"]
    waiting = max(view["waiting"])
    longest = view["waiting"].index(waiting)
    parts = [f"{len(speeds)} workers at {min(speeds):,.0f} to {max(speeds):,.0f} tok/s"]
    parts += [f"{longest} waits {waiting:.0%} for {slowest}"] if longest != slowest else []
    if sent := sum(view["sent_bytes"]):
        parts.append(f"{sent / 1e6 / max(seconds, 1e-9):,.1f} MB/s sent")
    if view["restarts"]:
        who = [str(rank) for rank, times in enumerate(view["lost"]) for _ in range(times)]
        parts.append(f"lost and back {view['restarts']}" + (f" ({', '.join(who)})" if who else ""))
    return ", ".join(parts)
