"""Models are pruned by the verb, once each, and answer the problems of their parent; tables read the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.harness import parents, runs
from benchmarks.harness.answers import Answers
from benchmarks.harness.cells import Cells
from benchmarks.harness.figures import divergence_lines
from benchmarks.harness.tiny import tiny_model
from benchmarks.pruned import __main__ as measuring
from benchmarks.pruned import training
from benchmarks.table.compressed_rows import recoveries
from benchmarks.table.pictures import on_white
from benchmarks.table.pruned_rows import KEPT, PRUNED, WAYS
from tests.benchmarks.table.filling import filled
from tuili.cli.app import main
from tuili.model import save_model
from tuili.store import LineageEntry, StoredModel, open_model
from tuili.tasks import unseen_problems

RECIPE = {"data": {"domains": ["calendar"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
SMALL = (
    "prune.samples=2", "prune.rounds=1", "prune.healing.rows=1", "prune.healing.length=320",
    "prune.healing.kernels=torch", "prune.healing.precision=fp32", "prune.healing.log.interval=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one domain with four experts."""
    folder = tmp_path_factory.mktemp("parent") / "model"
    entry = LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)
    save_model(folder, *tiny_model(domains=["calendar", "relations", "syllogism", "sets"]), [entry])
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Problems of one domain, three experts left, and the verb in this process."""
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    monkeypatch.setattr(parents, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    ways = {
        way: tuple(change.replace("experts=8", "experts=3") for change in changes)
        for way, changes in training.WAYS.items()
    }
    monkeypatch.setattr(training, "WAYS", ways)
    monkeypatch.setattr(measuring, "WAYS", ways)
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))


@pytest.mark.trials
def test_models_are_pruned_and_measured_once(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how: dict[str, Any] = {"ways": ("reap", "frequency"), "seeds": (1, 2), "steps": 2, "per_cell": 2, "levels": (1, 2)}
    how |= {"changes": SMALL, "folder": str(tmp_path / "runs")}
    config, figures = measuring.measure((str(parent),), **how)
    assert config["model"] == "given"
    assert {*config["curves"]} == {"reap_1", "reap_2", "frequency_1", "frequency_2"}
    assert [tokens for tokens, _ in config["curves"]["reap_1"]] == [320, 640]
    assert [round(tokens, -1) for tokens in figures["reap_tokens"].runs] == [640, 640]  # a row may have some less
    assert figures["reap_parameters"].runs[0] < config["parameters"]["total"]
    assert len(figures["reap_over_frequency"].runs) == len(figures["reap_level_2"].runs) == 2
    assert len(figures["reap_cut_level_2"].runs) == len(figures["parent_level_2"].runs) == 1
    assert {"reap_cut_over_parent", "reap_over_parent_low95", "frequency_level_1"} <= {*figures}
    runs_of = {"reap_0_1", "reap_2_1", "reap_2_2", "frequency_0_1", "frequency_2_1", "frequency_2_2"}
    assert {*config["runs"]} == {folder.name for folder in (tmp_path / "runs").glob("given_*/*")} == runs_of
    assert all(of_run["hours"] > 0 for of_run in config["runs"].values())
    (model,) = (tmp_path / "runs").glob("given_*/reap_2_1/model")
    assert open_model(model).shape.num_experts == 3
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("pruned again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure((str(parent),), **how) == (config, figures)


def test_a_way_may_recover_longer(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = dict[str, int]()
    monkeypatch.setattr(training, "compressed", lambda *given: asked.update({given[5].name: given[3]}))
    stored = open_model(parent)
    assert isinstance(stored, StoredModel)
    for way in ("reconstruction", "reconstruction_longer"):
        training.pruned(stored, way, 5, 1, tmp_path)
    assert asked == {"reconstruction_5_1": 5, "reconstruction_longer_20_1": 20}


def test_accuracy_is_told_by_level_and_against_the_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    problems = unseen_problems(("calendar",), (1, 2), 2, 0)
    answers = Answers(problems, Cells("pruned", {}, tmp_path))
    figures = answers.figures("reap", [True, False, False, False], [True, True, True, False])
    assert figures["reap_level_1"].runs == figures["reap_level_1_kept"].runs == [0.5]
    assert figures["reap_level_2_kept"].runs == [0.0]
    assert figures["reap_over_parent"].runs == [-50]
    assert figures["reap_level_1_kept_low95"].runs[0] < 0.5 < figures["reap_level_1_kept_high95"].runs[0]
    same = answers.figures("reap", [True, False, True, True], [True, False, True, True])
    assert same["reap_level_1_kept_low95"].runs[0] < same["reap_level_1_kept"].runs[0] == 1
    assert "parent_level_1_kept" not in answers.figures("parent", [True] * 4, [True] * 4)


def test_rows_and_picture_read_the_record(tmp_path: Path) -> None:
    value = {"unit": "share", "n": 3, "median": 0.5, "min": 0.4, "max": 0.6}
    ways = ("reconstruction", "magnitude")
    names = [f"{way}_level_{level}" for way in (*ways, "parent") for level in (1, 2, 3)]
    names += [f"{name}_kept" for name in names]
    names += [
        f"{way}_{what}"
        for way in ways
        for what in ("parameters", "over_parent", "cut_over_parent", "depth", "depth_before")
    ]
    names += [f"{name}_{end}" for name in names for end in ("low95", "high95")]
    config = {
        "parameters": {"total": 9168320}, "ways": dict.fromkeys(ways), "seeds": [1, 2],
        "curves": {f"{way}_{seed}": [[100, 0.5], [200, 0.1]] for way in ways for seed in (1, 2)},
    }  # fmt: skip
    record = {"config": config, "figures": dict.fromkeys(names, value)}
    cells = [[cell(record) for cell in row.cells] for row in PRUNED[:2]]
    assert cells[0] == ["9,168,320", "0.500", "0.500", "0.500", "0.50", "–", "–"]
    assert cells[1][1] == "0.500 (0.400 to 0.600, n = 3)"
    assert KEPT[0].cells[0](record) == "0.500 (0.400 to 0.600, n = 3); 95%: 0.500 to 0.500"
    goals = {what: goal for what, (_, goal) in filled(KEPT, record).items()}
    assert [what for what, goal in goals.items() if goal == "0.985"] == [
        f"Pruned: {WAYS[way]}, then recovered: share of the parent's right answers at level {level}"
        for way in ways for level in (1, 2, 3)
    ]  # fmt: skip
    lines = recoveries(json.loads(json.dumps(record)), WAYS)
    assert [len(runs) for runs in lines.values()] == [2, 2]
    assert ElementTree.fromstring(on_white(divergence_lines(lines), "")).attrib["style"] == "background: #ffffff"
    names = [f"way {number}" for number in range(len(WAYS))]
    drawn = on_white(divergence_lines({name: [[(100, 0.5), (200, 0.1)]] for name in names}), "")
    assert all(name in drawn for name in names)
