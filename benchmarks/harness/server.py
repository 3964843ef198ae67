"""A server in a process of its own: benchmarks of serving start it, read its use of the machine, and stop it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tuili.errors import TuiliError

TIMEOUT_SECONDS = 300.0
"""Within which a server must be ready, and must have ended after SIGTERM."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Server:
    """A process that listens on a port, ready when it is made.

    probe: the path that answers with status 200 once the server is ready.
    Raises `TuiliError` where it is not ready in time.
    """

    def __init__(
        self, command: Sequence[str], port: int, probe: str = "/ready", environment: Mapping[str, str] | None = None
    ) -> None:
        begun = time.perf_counter()
        self.url, self._probe = f"http://127.0.0.1:{port}", probe
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
        )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - begun > TIMEOUT_SECONDS:
                self.process.kill()
                raise TuiliError(f"{command[0]} is not ready within {TIMEOUT_SECONDS:g} s, or has ended")
            time.sleep(0.02)
        self.seconds_to_ready = time.perf_counter() - begun

    def _answers(self) -> bool:
        try:
            return httpx2.get(self.url + self._probe, timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    @property
    def memory(self) -> int:
        """Resident bytes of the process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def processor_seconds(self) -> float:
        """Seconds of processor time that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def metrics(self) -> dict[str, float]:
        """The sum of each metric over its labels, by the sample's name."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(httpx2.get(f"{self.url}/metrics", timeout=30).text):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        return sums

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT_SECONDS)


def tuili_server(*options: str, model: str = "nano", threads: int = 1, port: int | None = None) -> Server:
    """`tuili serve`, with options of its command line."""
    port = port or free_port()
    command = [sys.executable, "-m", "tuili", "serve", model, "--port", str(port), *options]
    environment = {
        "OMP_NUM_THREADS": str(threads),
        "XDG_STATE_HOME": tempfile.mkdtemp(prefix="tuili-state-"),  # what is asked here revokes no promise elsewhere
        "PYTHONDONTWRITEBYTECODE": "",  # an installed package has its bytecode; without it a start compiles the sources
    }
    return Server(command, port, environment=environment)
