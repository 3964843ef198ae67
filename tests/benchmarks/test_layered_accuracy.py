"""The comparison trains both sides alike, goes on where it stopped, and says what the difference is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import layered_accuracy
from benchmarks.layered_accuracy import interval, measure


def test_both_sides_are_trained_alike_and_only_once(small, tmp_path: Path):
    settings = {"steps": 2, "seeds": (1,), "overrides": small, "levels": (1,), "per_cell": 1, "runs": str(tmp_path)}
    config, figures = measure(**settings)
    plans = {
        side: json.loads((tmp_path / f"{side}-1-2" / "run.json").read_text())["recipe"] for side in ("layered", "dense")
    }
    layered = {side: plan["model"]["overrides"].pop("layered") for side, plan in plans.items()}
    assert layered == {"layered": True, "dense": False}
    assert plans["layered"] == plans["dense"]
    assert config["problems"] == {"levels": [1], "per_cell": 1, "depth": "full"}
    assert figures["difference_low95"].median <= figures["difference"].median <= figures["difference_high95"].median

    logs = [file.read_text() for file in sorted(tmp_path.glob("*/log.jsonl"))]
    again = measure(**settings)[1]
    assert [file.read_text() for file in sorted(tmp_path.glob("*/log.jsonl"))] == logs
    assert again == figures


def test_a_stopped_run_stops_the_benchmark(small, tmp_path: Path, monkeypatch):
    class Stopped:
        model = None

    monkeypatch.setattr(layered_accuracy, "train", lambda *_, **__: Stopped)
    with pytest.raises(SystemExit) as stopped:
        measure(steps=2, seeds=(1,), overrides=small, levels=(1,), per_cell=1, runs=str(tmp_path))
    assert stopped.value.code == 130


def test_an_interval_is_centred_and_narrows_with_the_number_of_problems():
    low, high = interval([100.0, 0.0, -100.0, 0.0] * 25)
    assert low == pytest.approx(-high)
    assert high == pytest.approx(1.96 * 71.07 / 10, rel=0.01)
    assert interval([0.0, 0.0]) == (0.0, 0.0)
