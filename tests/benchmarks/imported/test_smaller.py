"""A taught model is made smaller once in each way, and answers the questions that its parent answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.harness import compressed, runs
from benchmarks.harness.cells import Cells
from benchmarks.imported.smaller import __main__ as measuring
from benchmarks.imported.taught.data import taught_data
from benchmarks.table import stacked_rows as rows
from tests.engine.runtime.dense import dense_folder
from tuili.cli.app import main
from tuili.compress import TurnSettings, measure_latency
from tuili.compress.auto.latency import Latency
from tuili.engine import Numbers
from tuili.eval import right_answers

CHANGES = (
    "prune.rounds=1", "prune.multiple=4", "prune.samples=2", "factorise.multiple=4", "factorise.samples=2",
    "factorise.probes=2", "factorise.keep=0.9", "prune.healing.rows=1", "factorise.healing.rows=1",
    "quantize.healing.rows=1",
)  # fmt: skip


@pytest.mark.trials
def test_a_taught_model_is_made_smaller_once(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = dense_folder(tmp_path / "dense", "llama")
    monkeypatch.setattr(measuring, "taught_data", lambda folder, data: taught_data(folder, data, 5, 3))
    monkeypatch.setattr(measuring, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))
    short, timed, asked = TurnSettings(prompts=1, prompt=8, new=4, rounds=1, seconds=0), list[object](), list[object]()

    def latency(parent: Path, model: Path, turns: object, numbers: tuple[Numbers, Numbers]) -> Latency:
        timed.append(numbers)
        return measure_latency(parent, model, short, numbers)

    def answers(model: Path, problems: Sequence[object], *, numbers: Numbers) -> list[bool]:
        """Of four questions two are right in bf16, one in 8 bits, and three where these were learnt."""
        asked.append(numbers)
        found = right_answers(model, problems, numbers=numbers)  # type: ignore[arg-type]
        right = 3 if "int8" in model.parent.name else {"bf16": 2, "int8": 1}[numbers]
        return [place < right for place in range(len(found))]

    monkeypatch.setattr(compressed, "measure_latency", latency)
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", answers)
    how = {"scale": 1e-9, "changes": CHANGES, "taught_folder": str(tmp_path), "data": str(sources)}
    how |= {"folder": str(tmp_path / "smaller")}
    config, figures = measuring.measure(str(base), **how)
    assert config["problems"] == "4 questions of MAWPS-dev"
    names = ("weights", "parameters", "accuracy", "token", "over_parent", "hours")
    assert {f"{way}_{what}" for way in measuring.WAYS for what in names} <= {*figures}
    assert {"parent_accuracy", "rounded_accuracy", "parent_token", "rounded_token", "int8_over_rounded"} <= {*figures}
    assert timed[0] == ("bf16", "bf16"), "the parent in its folder's numbers is what all are compared with"
    assert (timed.count(("bf16", "int8")), timed.count(("bf16", "bf16"))) == (2, 3)
    assert asked == ["bf16", "int8", "int8", "bf16", "bf16"]
    assert figures["int8_held"].runs[0] == figures["rounded_held"].runs[0] == figures["parent_held"].runs[0] / 2
    assert figures["int8_over_parent"].runs == [25.0], "8 bits that were learnt, over bf16"
    assert figures["int8_over_rounded"].runs == [50.0]
    assert figures["rounded_over_parent"].runs == [-25.0]
    assert figures["pruned_weights"].runs[0] < figures["parent_weights"].runs[0]
    assert figures["factorised_parameters"].runs[0] <= 0.9 * config["parameters"]["total"]
    for way in measuring.WAYS:
        assert [*(tmp_path / "smaller").glob(f"*/{way}_1_1/model/config.json")]
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("made again"))
    monkeypatch.setattr("benchmarks.harness.answers.right_answers", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure(str(base), **how) == (config, figures)


def test_tables_have_a_row_for_each_way() -> None:
    assert {*rows.WAYS} == {*measuring.WAYS}
    value = {"unit": "share", "n": 1, "median": 0.5, "min": 0.5, "max": 0.5}
    costs = ("weights", "held", "parameters", "accuracy", "token", "token_over_parent")
    costs += ("over_parent", "over_parent_low95", "over_parent_high95")
    names = [f"{name}_{what}" for name in ("parent", "rounded", *rows.WAYS) for what in costs]
    record = {"config": {"parameters": {"total": 134515008}}, "figures": dict.fromkeys(names, value)}
    cells = [[cell(record) for cell in row.cells] for row in rows.IMPORTED]
    assert {len(row) for row in cells} == {len(rows.IMPORTED_COLUMNS) - 1}
    assert len(cells) == 2 + len(measuring.WAYS)
    assert cells[-1][-1] == "+0.5; 95%: +0.5 to +0.5"
    assert cells[0][-1] == "–"
