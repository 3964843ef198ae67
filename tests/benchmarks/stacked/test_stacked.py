"""Stacks are made link by link, once each, and measured beside their parent; tables read the record."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.harness import compressed, parents, runs
from benchmarks.harness.cells import Cells
from benchmarks.harness.tiny import tiny_model
from benchmarks.stacked import __main__ as measuring
from benchmarks.stacked import promised, training
from benchmarks.table import stacked_rows as rows
from tests.benchmarks.table.filling import filled
from tuili.cli.app import main
from tuili.compress import Distilling, DistilRecipe, TurnSettings, open_parent, stored_bytes
from tuili.config import load_recipe
from tuili.errors import TooFew
from tuili.eval import CalibrationGrid
from tuili.model import save_model
from tuili.store import LineageEntry, Quantization, model_hash, open_model, read_lineage

RECIPE = {"data": {"domains": ["calendar"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}}
SECTIONS = ("prune", "factorise", "quantize")
SMALL = (
    *(
        f"{section}.healing.{change}"
        for section in SECTIONS
        for change in ("rows=1", "length=320", "kernels=torch", "precision=fp32")
    ),
    "prune.rounds=1", "prune.multiple=4", "prune.samples=2", "factorise.multiple=4", "factorise.samples=2",
    "factorise.probes=2", "factorise.keep=0.9",
)  # fmt: skip


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "model"
    entry = LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)
    save_model(folder, *tiny_model(domains=["calendar", "relations", "syllogism", "sets"]), [entry])
    (folder / "tuili" / "calibration.svg").write_text("<svg/>")
    return folder


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems of one domain, short measuring, and the verbs in this process."""
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 2)
    monkeypatch.setattr(parents, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))
    monkeypatch.setattr(compressed, "TURNS", TurnSettings(prompts=1, prompt=8, new=4, rounds=1, seconds=0))


@pytest.mark.trials
def test_stacks_are_made_and_measured_once(
    parent: Path, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks = {"a": training.STACKS["factors_int8"], "b": (training.PRUNED, training.INT8)}
    monkeypatch.setattr(training, "STACKS", stacks)
    monkeypatch.setattr(measuring, "STACKS", stacks)
    covered = list[Path]()

    def coverage(model: Path, *given: object) -> dict[str, float]:
        covered.append(model)
        return {"1": 0.5, "4": 0.25}

    monkeypatch.setattr(measuring, "coverage", coverage)
    how: dict[str, Any] = {"stacks": ("a", "b"), "scale": 1e-3, "per_cell": 2, "levels": (1, 2), "changes": SMALL}
    how |= {"folder": str(tmp_path / "runs")}
    config, figures = measuring.measure((str(parent),), **how)
    assert config["stacks"]["b"][0] == "pruned: prune.share=0.3, 1 steps"
    names = ("weights", "active", "token", "coverage_1", "coverage_4", "level_1", "level_2")
    assert {f"{name}_{what}" for name in ("parent", "a", "b") for what in names} <= {*figures}
    assert {"a_over_parent", "b_depth", "parent_depth", "a_hours"} <= {*figures}
    assert max(figures[f"{name}_weights"].runs[0] for name in "ab") < figures["parent_weights"].runs[0]
    assert figures["a_parameters"].runs[0] < figures["b_parameters"].runs[0] < config["parameters"]["total"]
    made = ("parent", "pruned_1_1", "pruned_1+factors_1_1", "pruned_1+factors_1+int8_1_1", "pruned_1+int8_1_1")
    assert {folder.name for folder in (tmp_path / "runs").glob("given_*/*")} == {*made}
    assert {*config["runs"]} == {*made[1:]}
    (last,) = (tmp_path / "runs").glob("given_*/pruned_1+factors_1+int8_1_1/model")
    steps = [entry.step for entry in read_lineage(last)]
    assert steps == ["train", "prune", "factorise", "quantize"]
    assert figures["a_tokens"].runs[0] > figures["b_tokens"].runs[0]
    bare = covered[0]
    assert model_hash(bare) == model_hash(parent)
    assert not (bare / "tuili" / "calibration.svg").exists()
    assert len(covered) == 3
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("made again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    monkeypatch.setattr(compressed, "measure_latency", lambda *_: pytest.fail("timed again"))
    monkeypatch.setattr(measuring, "coverage", lambda *_: pytest.fail("calibrated again"))
    assert measuring.measure((str(parent),), **how) == (config, figures)


def test_a_model_that_answers_nothing_covers_nothing(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = list[int]()

    def none(loaded: object, prompts: list[object], *given: object) -> None:
        sample.append(len(prompts))
        raise TooFew("the model answered none")

    monkeypatch.setattr(promised, "calibrate_folder", none)
    assert promised.coverage(parent, ("calendar",), (1, 2), 3, 0) == {"1": 0.0, "4": 0.0}
    assert sample == [6]


def test_coverage_is_the_share_that_is_answered_in_so_many_attempts(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = dict[str, object]()

    def calibrated(loaded: object, prompts: object, name: str, grid: CalibrationGrid, tell: object) -> object:
        asked.update(tolerances=grid.tolerances, steps=grid.max_steps)
        entries = [
            SimpleNamespace(max_steps=steps, coverage=coverage, bound=0.04, threshold=0.9)
            for steps, coverage in ((1, 0.25), (4, 0.75))
        ]
        return SimpleNamespace(entries=entries)

    monkeypatch.setattr(promised, "calibrate_folder", calibrated)
    assert promised.coverage(parent, ("calendar",), (1,), 2, 0) == {"1": 0.25, "4": 0.75}
    assert asked == {"tolerances": (0.05,), "steps": (1, 4)}


def test_the_smallest_stack_is_small_enough() -> None:
    """What the changes to its recipe make of nano, in whole numbers."""
    small, numbers = training.STACKS["pico"]
    config = load_recipe("distil", small.changes, DistilRecipe).distil
    student: Any = Distilling(open_parent("nano", config.healing), config).blank(0)
    shape = student.config.shape
    assert numbers is training.W4A8
    assert stored_bytes(shape, Quantization("w4a8")) < 1.45e6
    assert shape.vocab_size == open_model("nano").shape.vocab_size


def test_tables_have_a_row_for_each_stack() -> None:
    assert {*rows.STACKS} == {*training.STACKS}
    value = {"unit": "share", "n": 1, "median": 0.5, "min": 0.5, "max": 0.5}
    costs = ("weights", "active", "depth", "token", "token_over_parent", "coverage_1", "coverage_4", "over_parent")
    costs += tuple(f"level_{level}{kept}" for level in (1, 2, 3) for kept in ("", "_kept"))
    names = [f"{name}_{what}" for name in ("parent", *rows.STACKS) for what in costs]
    names += [f"{name}_{end}" for name in names for end in ("low95", "high95")]
    record = {"config": {}, "figures": dict.fromkeys(names, value)}
    assert {len(row.cells) for row in rows.STACKED} == {len(rows.COLUMNS) - 1}
    cells = [[cell(record) for cell in row.cells] for row in rows.STACKED]
    assert len(cells) == 1 + len(rows.STACKS)
    assert cells[0][-1] == "–"
    told = [*filled([row for row in rows.STACKS_KEPT if row.record.stem == rows.RECORD], record).values()]
    assert sorted(goal for _, goal in told if goal != "none") == ["0.9", "at most 1.5"]
