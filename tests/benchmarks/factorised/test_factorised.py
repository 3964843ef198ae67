"""Models are factorised by the verb, once each, and answer the problems of their parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.factorised import __main__ as measuring
from benchmarks.factorised import training
from benchmarks.harness import parents, runs
from benchmarks.harness.cells import Cells
from benchmarks.harness.tiny import tiny_model
from benchmarks.table import factorised_rows as rows
from tests.benchmarks.table.filling import filled
from tuili.cli.app import main
from tuili.model import save_model
from tuili.store import LineageEntry, StoredModel, open_model
from tuili.tasks import unseen_problems

RECIPE = {"data": {"domains": ["arithmetic"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
SMALL = (
    "factorise.multiple=4", "factorise.samples=2", "factorise.healing.rows=1",
    "factorise.healing.length=320", "factorise.healing.kernels=torch", "factorise.healing.precision=fp32",
    "factorise.healing.log.interval=1",
)  # fmt: skip


@pytest.mark.trials
def test_models_are_factorised_and_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = tmp_path / "parent"
    save_model(parent, *tiny_model(), [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    monkeypatch.setattr(parents, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))
    how: dict[str, Any] = {"ways": ("dynamic", "uniform"), "seeds": (1,), "steps": 1, "per_cell": 2, "levels": (1, 3)}
    how |= {"keep": 0.9, "changes": SMALL, "folder": str(tmp_path / "runs")}
    config, figures = measuring.measure((str(parent),), **how)
    assert config["model"] == "given"
    assert [tokens for tokens, _ in config["curves"]["uniform_1"]] == [320]
    assert figures["dynamic_parameters"].runs[0] <= 0.9 * config["parameters"]["total"]
    wanted = {"dynamic_over_uniform", "dynamic_over_uniform_raw_low95", "uniform_raw_over_parent", "dynamic_level_3"}
    assert wanted <= {*figures}
    assert figures["dynamic_shared_over_separate"].runs[0] > 0
    assert "dynamic_several_steps_over_parent_low95" in figures
    assert {*config["runs"]} == {f"{way}_0.9_{steps}_1" for way in how["ways"] for steps in (0, 1)}
    (model,) = (tmp_path / "runs").glob("given_*/dynamic_0.9_1_1/model")
    assert open_model(model).shape.ranks
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("factorised again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure((str(parent),), **how) == (config, figures)


def test_a_way_may_recover_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = dict[str, int]()
    monkeypatch.setattr(training, "compressed", lambda *given: asked.update({given[5].name: given[3]}))
    stored = open_model("nano")
    assert isinstance(stored, StoredModel)
    for way in ("dynamic", "dynamic_longer"):
        training.factorised(stored, way, 0.32, 5, 1, tmp_path)
    assert asked == {"dynamic_0.32_5_1": 5, "dynamic_longer_0.32_20_1": 20}


def test_problems_of_several_steps_of_arithmetic_are_told_apart() -> None:
    problems = unseen_problems(("arithmetic", "calendar"), (1, 3), 8, 0)
    several = [problem.domain == "arithmetic" and len(problem.steps) >= 3 for problem in problems]
    assert 0 < sum(several) < 16
    figures = measuring.several_steps("x", problems, several, [not one for one in several])
    assert figures["x_several_steps_accuracy"].runs == [1.0]
    assert figures["x_several_steps_over_parent"].runs == [100.0]
    assert figures["x_several_steps_n"].runs == [sum(several)]
    assert measuring.several_steps("x", [], [], []) == {}


def test_tables_have_a_row_for_each_way_and_goal() -> None:
    assert {*rows.WAYS} == {*training.WAYS}
    value = {"unit": "share", "n": 3, "median": 0.5, "min": 0.4, "max": 0.6}
    names = [
        f"{way}_level_{level}{kept}" for way in ("parent", *rows.WAYS) for level in (1, 2, 3) for kept in ("", "_kept")
    ]
    config = {"parameters": {"total": 9168320}}
    costs = ("parameters", "depth", "depth_before", "over_parent", "raw_over_parent", "tokens")
    costs += ("several_steps_over_parent",)
    names += [f"{way}_{what}" for way in rows.WAYS for what in costs]
    names += [f"{one}_over_{other}{behind}" for one, other, *_ in rows.PAIRS for behind in ("", "_raw")]
    names += [f"{name}_{end}" for name in names for end in ("low95", "high95")]
    record = {"config": config, "figures": dict.fromkeys(names, value)}
    assert {len(row.cells) for row in rows.FACTORISED} == {len(rows.COLUMNS) - 1}
    assert len(filled(rows.FACTORISED, record)) == 1 + len(rows.WAYS)
    cells = filled(rows.FACTORS, record)
    assert sum("several steps" in what for what in cells) == len(rows.WAYS)
    assert all("; 95%: " in cells[what][0] for what in cells if "tokens of recovery" not in what)
    assert {goal for _, goal in cells.values()} > {"none"}
    wanted = {(one, other) for one, other, *_ in rows.PAIRS}
    assert wanted == {*measuring.COMPARED}
