"""The comparison trains both sides alike, goes on where it stopped, and says what the difference is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.model import layered_accuracy
from benchmarks.model.layered_accuracy import measure


@pytest.mark.trials
def test_all_sides_are_trained_alike_and_only_once(small, tmp_path: Path):
    settings = {"steps": 2, "seeds": (1,), "overrides": small, "levels": (1,), "per_cell": 1, "runs": str(tmp_path)}
    config, figures = measure(**settings)
    plans = {
        file.parent.name.partition("-")[0]: json.loads(file.read_text())["recipe"]
        for file in tmp_path.rglob("run.json")
    }
    assert set(plans) == {"dense", "layered", "tight"}
    overrides = {
        side: {key: plan["model"]["overrides"].pop(key, None) for key in ("layered", "window", "top_units")}
        for side, plan in plans.items()
    }
    assert overrides["dense"] == {"layered": False, "window": None, "top_units": None}
    assert overrides["tight"] == {"layered": None, "window": 8, "top_units": 2}
    assert plans["layered"] == plans["dense"] == plans["tight"]
    assert config["problems"] == {"levels": [1], "per_cell": 1, "depth": "full"}
    for side in ("layered", "tight"):
        difference = figures[f"{side}_difference"].median
        assert figures[f"{side}_low95"].median <= difference <= figures[f"{side}_high95"].median
        assert figures[f"{side}_all_difference"].median == difference  # there is but one seed
    assert 0 < figures["tight_reads"].median < figures["layered_reads"].median

    logs = [file.read_text() for file in sorted(tmp_path.rglob("log.jsonl"))]
    again = measure(**settings)[1]
    assert [file.read_text() for file in sorted(tmp_path.rglob("log.jsonl"))] == logs
    assert again == figures


def test_a_stopped_run_stops_the_benchmark(small, tmp_path: Path, monkeypatch):
    class Stopped:
        model = None

    monkeypatch.setattr(layered_accuracy, "train", lambda *_, **__: Stopped)
    with pytest.raises(SystemExit) as stopped:
        measure(steps=2, seeds=(1,), overrides=small, levels=(1,), per_cell=1, runs=str(tmp_path))
    assert stopped.value.code == 130
