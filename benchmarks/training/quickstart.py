"""Seconds that `tuili quickstart` takes on this machine, and the accuracy of the model that it trains."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure


def measure(runs: int = 1, overrides: tuple[str, ...] = ()) -> Measured:
    """Seconds from the start of the command to its report, and accuracy, of whole runs in new folders."""
    reports = [quickstart(overrides) for _ in range(runs)]
    domains = list(reports[0]["accuracy"])
    figures = {
        "seconds": Figure("s", [report["seconds"] for report in reports]),
        "seconds_training": Figure("s", [report["seconds_training"] for report in reports]),
        "tokens_a_second": Figure(
            "tokens/s", [report["tokens_trained"] / report["seconds_training"] for report in reports]
        ),
        "lowest_accuracy": Figure("share", [min(report["accuracy"].values()) for report in reports]),
        **{name: Figure("share", [report["accuracy"][name] for report in reports]) for name in domains},
    }
    return {
        "overrides": list(overrides),
        "steps": reports[0]["steps"],
        "tokens": reports[0]["tokens_trained"],
        "problems": reports[0]["evaluation"]["settings"]["per_cell"],
        "goal": "lowest_accuracy >= 0.90 and seconds <= 360",
    }, figures


def quickstart(overrides: tuple[str, ...]) -> dict[str, Any]:
    """The report of one run."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "tuili", "quickstart", *overrides, "--out", scratch], check=True)
        report: dict[str, Any] = json.loads(Path(scratch, "report.json").read_bytes())
        return report


if __name__ == "__main__":
    run("quickstart", measure)
