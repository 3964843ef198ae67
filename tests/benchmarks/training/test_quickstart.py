"""The benchmark runs the verb as a user does and takes its figures from the report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.training import quickstart


def test_figures_are_those_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((500.0, 600.0))
    asked = []

    def verb(command: list[str], check: bool) -> None:
        *asked_for, _, out = command
        asked.append(asked_for[1:])
        report: dict[str, Any] = {
            "accuracy": {"arithmetic": 0.97, "knights": 0.91},
            "seconds": next(seconds),
            "seconds_training": 400.0,
            "steps": 7,
            "tokens_trained": 4000,
            "evaluation": {"settings": {"per_cell": 100}},
        }
        Path(out, "report.json").write_text(json.dumps(report))

    monkeypatch.setattr(subprocess, "run", verb)
    config, figures = quickstart.measure(runs=2, overrides=("train.seed=2",))
    assert asked == 2 * [["-m", "tuili", "quickstart", "train.seed=2"]]
    assert (config["steps"], config["problems"]) == (7, 100)
    assert figures["seconds"].median == 550
    assert figures["tokens_a_second"].median == 10
    assert figures["lowest_accuracy"].median == 0.91
    assert figures["arithmetic"].median == 0.97
