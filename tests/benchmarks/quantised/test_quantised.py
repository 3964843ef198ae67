"""Models are quantised by the verb, once each, and answer the problems of their parent; speeds are timed in turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import parents, runs
from benchmarks.harness.cells import Cells
from benchmarks.harness.tiny import tiny_model
from benchmarks.quantised import __main__ as measuring
from benchmarks.quantised import speed, training
from benchmarks.table import quantised_rows
from tuili.cli.app import main
from tuili.model import save_model
from tuili.store import LineageEntry, Quantization, open_model

RECIPE = {"data": {"domains": ["calendar"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
SMALL = (
    "quantize.healing.rows=1", "quantize.healing.length=320", "quantize.healing.kernels=torch",
    "quantize.healing.precision=fp32",
)  # fmt: skip


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "model"
    wide = tiny_model(hidden_size=32, intermediate_size=32, moe_intermediate_size=32)
    save_model(folder, *wide, [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    return folder


@pytest.mark.trials
def test_models_are_quantised_and_measured_once(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    for module in (parents, measuring):
        monkeypatch.setattr(module, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))
    sides = enumerate(speed.SIDES, start=1)
    timed = {f"{side}_{what}": [10.0 * number] for number, side in sides for what in ("reading", "writing")}
    monkeypatch.setattr(measuring, "speeds", lambda *_: timed)
    ways = ("int8", "w4a8", "w4a8_longer")
    how: dict[str, Any] = {"ways": (*ways,), "seeds": (1, 2), "steps": 1, "per_cell": 2, "levels": (1, 2)}
    how |= {"changes": SMALL, "folder": str(tmp_path / "runs"), "rounds": 1}
    config, figures = measuring.measure((str(parent),), **how)
    assert (config["model"], config["parent_numbers"]) == ("given", "fp32")
    assert {
        "int8_ptq_over_parent",
        "w4a8_qat_over_parent_low95",
        "w4a8_qat_over_ptq",
        "int8_qat_level_2",
        "w4a8_compensated_level_1",
    } <= {*figures}
    assert len(figures["int8_qat_level_1"].runs) == 2
    assert len(figures["parent_level_1"].runs) == 1
    assert figures["w4a8_weights"].runs[0] < figures["int8_weights"].runs[0]
    assert figures["int8_writing_over_bf16"].runs == [pytest.approx(3 / 4)]
    for name in ("int8_nearest_0_1", "int8_1_1", "int8_1_2", "w4a8_nearest_0_1", "w4a8_0_1", "w4a8_longer_4_2"):
        (model,) = (tmp_path / "runs").glob(f"given_*/{name}/model")
        quantization = open_model(model).shape.quantization
        assert quantization == Quantization(name.split("_")[0])
    assert {*config["curves"]} == {f"{way}_{seed}" for way in ways for seed in (1, 2)}
    assert "w4a8_longer_qat_over_parent" in figures
    assert not {"w4a8_longer_ptq_over_parent", "w4a8_longer_compensated_over_parent"} & {*figures}, "as of w4a8"
    assert figures["w4a8_four_bits"].runs[0] > 0
    assert not [*(tmp_path / "runs").glob("*/int8_*0_2")]
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("quantised again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    monkeypatch.setattr(measuring, "speeds", lambda *_: pytest.fail("timed again"))
    assert measuring.measure((str(parent),), **how) == (config, figures)


def test_all_sides_are_timed_with_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, tokens in (("SHORT", 4), ("LONG", 9), ("NEW", 3)):
        monkeypatch.setattr(speed, name, tokens)
    runs = speed.speeds("nano", 1, 2)
    assert {*runs} == {f"{side}_{what}" for side in speed.SIDES for what in ("reading", "writing")}
    assert all(len(times) == 2 for times in runs.values())
    timed = {name: [10.0, 20.0] for name in runs}
    assert speed.figures_of(timed)["int8_reading"].runs == [900.0, 450.0]


def test_each_side_runs_in_its_own_numbers() -> None:
    runners: dict[str, Any] = {name: speed._timed("nano", side, 1).runner for name, side in speed.SIDES.items()}
    found = {name: runner.runtime for name, runner in runners.items()}
    assert {name: (runtime.runner, runtime.numbers.split(",")[0]) for name, runtime in found.items()} == {
        "torch_fp16": ("torch", "float16"), "fp32": ("native", "fp32"), "bf16": ("native", "bf16"),
        "int8": ("native", "int8"), "w4a8": ("native", "int4"),
    }  # fmt: skip


def test_tables_have_a_row_for_each_way_and_goal() -> None:
    assert {*quantised_rows.WAYS} == {*training.WAYS}
    goals = {f"{one}_{what}_over_{other}": float(least) for (one, what, other), least in quantised_rows.GOALS.items()}
    assert goals == speed.GOALS


def test_goals_are_of_sides_that_are_timed() -> None:
    names = {f"{side}_{what}" for side in speed.SIDES for what in ("reading", "writing")}
    for goal in speed.GOALS:
        one, other = goal.split("_over_")
        assert {one, f"{other}_{one.rpartition('_')[2]}"} <= names
