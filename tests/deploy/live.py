"""A real `tuili serve`, and a real Prometheus that scrapes it with the configuration and rules of the deployment."""

from __future__ import annotations

import math
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tests.deploy.manifests import DEPLOY, ROOT
from tuili.serve import new_key

CONFIGURATION = DEPLOY / "monitoring" / "prometheus.yml"
INTERVAL_SECONDS = 0.5
"""Seconds between scrapes, between evaluations of the rules, and between looks at experts and attention heads; the
deployment has 15, 15 and 30, which is long for a test."""
PATIENCE_SECONDS = 300
"""How long something may take: the machine may be busy."""


@dataclass
class Live:
    """Both processes at work. `url` and `key` are those of the server."""

    server: subprocess.Popen[bytes]
    url: str
    key: str
    prometheus: httpx2.Client

    def get(self, path: str, **parameters: Any) -> Any:
        """The data that Prometheus's API answers with."""
        answer = self.prometheus.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def rules(self) -> dict[str, dict[str, Any]]:
        """The rules that Prometheus has loaded, by name."""
        return {rule["name"]: rule for group in self.get("rules")["groups"] for rule in group["rules"]}

    def values(self, expression: str) -> list[float]:
        """The values of an expression now, one for each series, as soon as there is one and all are finite."""
        return self._numbers(
            expression, lambda: [one["value"] for one in self.get("query", query=expression)["result"]]
        )

    def last_points(self, expression: str) -> list[float]:
        """The last point of each line of an expression, asked for as Grafana does for a panel."""

        def last() -> list[Any]:
            asked = {"query": expression, "start": time.time() - 2, "end": time.time(), "step": INTERVAL_SECONDS}
            return [line["values"][-1] for line in self.get("query_range", **asked)["result"]]

        return self._numbers(expression, last)

    def _numbers(self, expression: str, samples: Callable[[], list[Any]]) -> list[float]:
        def finite() -> list[float]:
            numbers = [float(value) for _, value in samples()]
            return numbers if all(map(math.isfinite, numbers)) else []

        return eventually(finite, f"no data: {expression}")

    def wait_for_scrape(self) -> None:
        """Wait until Prometheus has read all that the server has counted so far."""
        begun = time.time()
        eventually(lambda: self.values("timestamp(tuili_ready)")[0] > begun, "nothing is scraped")

    def wait_for_rules(self) -> None:
        """Wait until Prometheus has worked all rules out from what it has read so far."""
        begun = datetime.now(UTC)

        def worked_out() -> bool:
            return all(datetime.fromisoformat(rule["lastEvaluation"]) > begun for rule in self.rules().values())

        eventually(worked_out, "some rule is not worked out")


def eventually(find: Callable[[], Any], missing: str) -> Any:
    """What `find` returns, once that is not empty. It is empty while a server does not listen yet."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if value := find():
                return value
        except httpx2.TransportError:
            pass
        assert time.monotonic() < until, missing
        time.sleep(INTERVAL_SECONDS / 5)


def free_port() -> int:
    """A port of this machine on which no process listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def configured(port: int, key_file: Path) -> dict[str, Any]:
    """The deployment's configuration of Prometheus, for a server at `port` of this machine, with the key that its
    comment shows.
    """
    text = CONFIGURATION.read_text()
    (authorization,) = re.findall(r"^# +(authorization: .*)$", text, re.MULTILINE)
    configuration: dict[str, Any] = yaml.safe_load(text)
    (job,) = configuration["scrape_configs"]
    job |= yaml.safe_load(authorization.replace("/etc/prometheus/key", str(key_file)))
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    configuration["global"] = dict.fromkeys(configuration["global"], f"{INTERVAL_SECONDS * 1000:.0f}ms")
    configuration["rule_files"] = [str(CONFIGURATION.with_name(name)) for name in configuration["rule_files"]]
    return configuration


@contextmanager
def started(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process, which is terminated at the end."""
    with log.open("wb") as file:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT, env=environment)
    try:
        yield process
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()


@contextmanager
def live(folder: Path) -> Iterator[Live]:
    """Both processes, with their files and logs in `folder`. The server has one slot, and one request may wait."""
    port, watching = free_port(), free_port()
    key, line = new_key("test")
    (folder / "keys").write_text(line + "\n")
    (folder / "key").write_text(key)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configured(port, folder / "key")))
    serve = [sys.executable, "-m", "tests.deploy.watched", str(INTERVAL_SECONDS), "serve", "nano"]
    serve += ["--port", str(port), "--keys-file", str(folder / "keys"), "--slots", "1", "--waiting", "1"]
    watch = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    watch += [f"--web.listen-address=127.0.0.1:{watching}"]
    with (
        started(serve, folder / "tuili.log") as server,
        started(watch, folder / "prometheus.log"),
        httpx2.Client(base_url=f"http://127.0.0.1:{watching}", trust_env=False) as prometheus,
    ):
        both = Live(server, f"http://127.0.0.1:{port}", key, prometheus)
        eventually(lambda: prometheus.get("/-/ready").is_success, "Prometheus does not start")
        eventually(lambda: both.get("query", query="tuili_ready == 1")["result"], "no model that is ready is seen")
        yield both
