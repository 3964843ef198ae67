"""A taught model is made smaller once in each way, and answers the questions that its parent answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import compressed, runs
from benchmarks.harness.cells import Cells
from benchmarks.imported.smaller import __main__ as measuring
from benchmarks.imported.taught import training
from benchmarks.imported.taught.data import taught_data
from benchmarks.table import stacked_rows as rows
from tests.engine.runtime.dense import dense_folder
from tuili.cli.app import main
from tuili.compress import TurnSettings

SMALL = (
    "teach.steps=2", "teach.rank=2", "teach.length=256", "teach.rows=1", "teach.extra_tokens=9",
    "teach.data.domains=[arithmetic]",
)  # fmt: skip
CHANGES = (
    "prune.rounds=1", "prune.multiple=4", "prune.samples=2", "factorise.multiple=4", "factorise.samples=2",
    "factorise.probes=2", "factorise.keep=0.9", "prune.healing.rows=1", "factorise.healing.rows=1",
    "quantize.healing.rows=1",
)  # fmt: skip


def test_a_taught_model_is_made_smaller_once(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = dense_folder(tmp_path / "dense", "llama")
    monkeypatch.setattr(training, "CHANGES", {"long": SMALL})
    monkeypatch.setattr(measuring, "taught_data", lambda folder, data: taught_data(folder, data, 5, 3))
    monkeypatch.setattr(measuring, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))
    monkeypatch.setattr(compressed, "TURNS", TurnSettings(prompts=1, prompt=8, new=4, rounds=1, seconds=0))
    how = {"scale": 1e-9, "changes": CHANGES, "taught_folder": str(tmp_path), "data": str(sources)}
    how |= {"folder": str(tmp_path / "smaller")}
    config, figures = measuring.measure(str(base), **how)
    assert config["problems"] == "4 questions of MAWPS-dev"
    names = ("weights", "parameters", "accuracy", "token", "over_parent", "hours")
    assert {f"{way}_{what}" for way in measuring.WAYS for what in names} <= {*figures}
    assert {"parent_accuracy", "parent_bf16_accuracy", "parent_int8_accuracy", "parent_token"} <= {*figures}
    assert figures["pruned_weights"].runs[0] < figures["parent_weights"].runs[0]
    assert figures["factorised_parameters"].runs[0] <= 0.9 * config["parameters"]["total"]
    for way in measuring.WAYS:
        assert (tmp_path / "smaller" / f"{way}_1_1" / "model" / "config.json").is_file()
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("made again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure(str(base), **how) == (config, figures)


def test_tables_have_a_row_for_each_way() -> None:
    assert {*rows.WAYS} == {*measuring.WAYS}
    value = {"unit": "share", "n": 1, "median": 0.5, "min": 0.5, "max": 0.5}
    costs = ("weights", "parameters", "accuracy", "token", "over_parent", "over_parent_low95", "over_parent_high95")
    names = [f"{way}_{what}" for way in rows.WAYS for what in (*costs, "token_over_parent")]
    names += ["parent_weights", "parent_token", *(f"{name}_accuracy" for name in measuring.OF_PARENT)]
    record = {"config": {"parameters": {"total": 134515008}}, "figures": dict.fromkeys(names, value)}
    cells = [[cell(record) for cell in row.cells] for row in rows.IMPORTED]
    assert {len(row) for row in cells} == {len(rows.IMPORTED_COLUMNS) - 1}
    assert len(cells) == len(measuring.OF_PARENT) + len(measuring.WAYS)
    assert cells[-1][-1] == "+0.5 (95%: +0.5 to +0.5)"
