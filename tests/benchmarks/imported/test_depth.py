"""Leaving early is measured on texts that exits were not trained on, and what is between two thresholds on a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness import runs
from benchmarks.harness.cells import Cells
from benchmarks.imported.depth import __main__ as depth
from benchmarks.imported.depth import reading, training, writing
from benchmarks.imported.depth.reading import between, read
from benchmarks.imported.prompts import PROBLEMS, worked_questions
from benchmarks.imported.quality import drafts
from benchmarks.imported.quality.ours import Ours
from tests.engine.runtime.dense import LAYERS, dense_folder
from tuili.cli.app import main
from tuili.store import ImportedModel, open_model

WORDS = ("cups", "hats", "jars", "keys", "maps", "nuts", "pens")
SMALL = (
    "exits.at=[1,3]", "exits.rank=4", "exits.channels=4", "exits.tokens=400", "exits.validation_tokens=60",
    "exits.test_tokens=60", "exits.adapter.steps=4", "exits.confidence.steps=4", "exits.joint.steps=2",
    "exits.joint.first_layer=1", "exits.threshold.tries=2", "exits.texts=4",
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(f"How many {what} are {number} and 1?", number + 1) for number in range(9) for what in WORDS]
    problems = [{"question": question, "answer": f"{answer}"} for question, answer in asked]
    (data / PROBLEMS).write_text("".join(f"{json.dumps(line)}\n" for line in problems))
    monkeypatch.setattr(training, "DATA", data)
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))  # in this process, which has torch already
    monkeypatch.setattr(training, "RECIPES", dict.fromkeys(training.RECIPES, SMALL))
    monkeypatch.setattr(reading, "BATCH", 3)
    monkeypatch.setattr(writing, "CELL", 2)
    monkeypatch.setattr(drafts, "NEW", 5)
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(depth, "Cells", lambda name, setting: Cells(name, setting, data))
    monkeypatch.setattr(depth, "worked_questions", lambda *asked: worked_questions(*asked, data=data))


def test_both_ways_are_trained_once_and_measured(
    imported: ImportedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    how = {"numbers": "fp32", "texts": 5, "thresholds": (0.2, 0.9), "prompts": 4, "folder": str(tmp_path)}
    _, figures = depth.measure(str(imported.path), **how)
    for way in training.RECIPES:
        names = [key for key in figures if key.startswith(way)]
        assert {f"{way}_{each}_layers" for each in ("full", "auto", "at_goal", "as_before", "0.2", "0.9")} <= {*names}
        assert figures[f"{way}_full_layers"].median == 1
        for name in (f"{way}_{each}_{together}" for each in ("auto", "as_before") for together in (1, 2)):
            assert len(figures[f"{name}_over_full"].runs) == 2
        assert figures[f"{way}_as_before_points_over_before"].median >= -0.5
    assert figures["frozen_full_accuracy"].median == figures["before_accuracy"].median
    monkeypatch.setattr(runs, "tuili", None)
    monkeypatch.setattr(Ours, "read_forced", None)
    monkeypatch.setattr(writing, "write", None)
    _, again = depth.measure(str(imported.path), **how)
    assert again == figures


def test_a_low_threshold_costs_few_layers(tmp_path: Path):
    model = open_model(dense_folder(tmp_path / "model", "llama, tied", (1, 3, LAYERS)))
    assert isinstance(model, ImportedModel)
    ours, pairs = Ours(model), [([1, 50, 60], [70, 80, 90, 33]), ([1, 44], [9, 17])]
    cells = Cells("depth", {}, tmp_path)
    full, low, high = (read(cells, "m", ours, "fp32", pairs, each) for each in (None, 0.01, 1.0))
    assert [counts["tokens"] for counts in (full, low, high)] == [6, 6, 6]
    assert full["layers"] == high["layers"] == 6 * LAYERS
    assert low["layers"] == 6


def test_what_is_between_two_readings_lies_on_a_line():
    readings = [{"tokens": 10, "right": right, "layers": layers} for right, layers in ((5, 20), (6, 60), (9, 100))]
    assert between(readings, 0.8) == {"tokens": 10, "right": 7.5, "layers": 80}
    assert between(readings, 0.6) == readings[1]
    assert between(readings, 1.0) == readings[2]
    assert between(readings, 0.1) == readings[0]
