"""`tuili bench serve` against guidellm: whether two load generators see the same server.

Both take turns with the same problems, which come at random at the same rate (an open loop). The rate is far below what
the server can bear: in a closed loop a load generator takes more of these cores than the server, and what it sees is
itself. guidellm is called by its own command, unchanged, in an environment of its own, and its report is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import ROOT, Figure
from benchmarks.harness.server import Server, tuili_server
from benchmarks.harness.texts import own_domains
from tuili.bench import LoadSettings, run_load
from tuili.errors import TuiliError
from tuili.tasks import unseen_problems

GUIDELLM = ROOT / ".venv-guidellm" / "bin" / "guidellm"
"""Made by `make bench`."""
UNITS = {"answers_per_second": "answers/s", "first_p50": "ms", "whole_p50": "ms", "whole_p90": "ms"}


def seen_by_tuili(server: Server, questions: list[str], rate: float, seconds: float) -> dict[str, float]:
    """The figures of `tuili bench serve`, by their names in `UNITS`."""
    settings = LoadSettings(server.url, "nano", clients=None, rate=rate, seconds=seconds)
    asked = asyncio.run(run_load(settings, questions, lambda *_: None))
    within = [one for one in asked if one.status == 200 and one.ended <= seconds]
    cuts = quantiles([1e3 * one.latency for one in within], n=100, method="inclusive")
    first = quantiles([1e3 * (one.first_token or 0.0) for one in within], n=100, method="inclusive")[49]
    return {
        "answers_per_second": len(within) / seconds,
        "first_p50": first,
        "whole_p50": cuts[49],
        "whole_p90": cuts[89],
    }


def seen_by_guidellm(
    server: Server, questions: list[str], rate: float, seconds: float, command: Path = GUIDELLM
) -> dict[str, float]:
    """The figures of guidellm, by their names in `UNITS`. Raises `TuiliError` where it fails."""
    with TemporaryDirectory() as folder:
        asked, report = Path(folder) / "questions.jsonl", Path(folder) / "report.json"
        asked.write_text("".join(json.dumps({"prompt": question}) + "\n" for question in questions))
        options = {
            "backend": {"kind": "openai_http", "target": server.url, "model": "nano", "max_tokens": 400},
            "profile": {"kind": "poisson", "rate": [rate]},
            "constraint": {"kind": "max_duration", "seconds": seconds},
            "data": {"kind": "json_file", "path": str(asked)},
            "data-loader": {"kind": "pytorch", "samples": -1},
            "output": {"kind": "json", "path": str(report)},
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", json.dumps(value))]
        environment = {"HF_HUB_OFFLINE": "1", "GUIDELLM__MAX_WORKER_PROCESSES": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [str(command), "run", *arguments, "--disable-console"],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not report.is_file():
            raise TuiliError(f"guidellm has failed: {done.stderr[-500:]}")
        return read_report(json.loads(report.read_text()))


def read_report(report: dict[str, Any]) -> dict[str, float]:
    """The figures in a report of guidellm, of whole answers alone, by their names in `UNITS`."""
    (benchmark,) = report["benchmarks"]
    metrics = benchmark["metrics"]

    def cut(name: str, part: str) -> float:
        value: float = metrics[name]["successful"]["percentiles"][part]
        return value

    return {
        "answers_per_second": metrics["request_totals"]["successful"] / benchmark["duration"],
        "first_p50": cut("time_to_first_token_ms", "p50"),
        "whole_p50": 1e3 * cut("request_latency", "p50"),
        "whole_p90": 1e3 * cut("request_latency", "p90"),
    }


def measure(rate: float = 8.0, seconds: float = 20.0, rounds: int = 5) -> Measured:
    """The figures of both, and those of `tuili bench serve` over guidellm's."""
    questions = [problem.prompt for problem in unseen_problems(own_domains(), (1, 2), per_cell=64, seed=5)]
    runs: dict[str, dict[str, list[float]]] = {name: {unit: [] for unit in UNITS} for name in ("ours", "guidellm")}
    with tuili_server() as server:
        seen_by_tuili(server, questions, rate, 3.0)
        for number in range(rounds):
            for name, see in (("ours", seen_by_tuili), ("guidellm", seen_by_guidellm))[:: 1 if number % 2 else -1]:
                for unit, value in see(server, questions, rate, seconds).items():
                    runs[name][unit].append(value)
                print(f"round {number}: {name}: {runs[name]['answers_per_second'][-1]:.1f} answers/s", flush=True)
        metrics = server.metrics()
        assert server.stop() == 0
    assert metrics.get("tuili_refused_total", 0) == 0
    figures = {
        f"{name}_{unit}": Figure(UNITS[unit], values)
        for name, by_unit in runs.items()
        for unit, values in by_unit.items()
    }
    figures |= {f"{unit}_over_guidellm": ratio(figures[f"ours_{unit}"], figures[f"guidellm_{unit}"]) for unit in UNITS}
    return {"rate": rate, "seconds": seconds, "rounds": rounds, "guidellm": version()}, figures


def version() -> str:
    """The version of guidellm."""
    done = subprocess.run([str(GUIDELLM), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


if __name__ == "__main__":
    run("load_tool", measure)
