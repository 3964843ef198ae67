"""Taught models are trained once and measured on what was kept from them; the card of the shipped one tells how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness import runs
from benchmarks.harness.cells import Cells
from benchmarks.harness.record import RESULTS, ROOT
from benchmarks.imported.taught import __main__ as measuring
from benchmarks.imported.taught import solving, training
from benchmarks.imported.taught.card import card_figures
from benchmarks.imported.taught.data import taught_data
from tests.engine.runtime.dense import dense_folder
from tuili.cli.app import main
from tuili.data import masked_question, read_questions
from tuili.engine import read_calibration
from tuili.exchange.adapters.manifest import read_manifest
from tuili.store import FAMILIARITY_FILE, ImportedModel, familiarity_hash, open_model
from tuili.store.fetched import SHIPPED_ADAPTERS
from tuili.store.safetensors import read_metadata

SMALL = (
    "teach.steps=2", "teach.first_layer=null", "teach.rank=2", "teach.length=256", "teach.rows=1",
    "teach.extra_tokens=9", "teach.validation_rows=2", "teach.data.domains=[arithmetic]",
)  # fmt: skip


def test_what_is_held_back_is_not_learnt_from(sources: Path, tmp_path: Path) -> None:
    made = taught_data(tmp_path / "made", sources, held_back=5, times=3)
    held, learnt = ([one.record.input for one in read_questions(file)] for file in (made.tests["gsm8k"], made.gsm8k))
    assert (len(held), len(learnt)) == (5, 15)
    assert not {*held} & {*learnt}
    multiplied = [one.record for one in read_questions(made.multiplied["mawps"])]
    assert len(multiplied) > 10
    assert all(record.id.startswith("mawps-train/") for record in multiplied)
    tested = {masked_question(one.record.input) for file in made.tests.values() for one in read_questions(file)}
    assert not tested & {masked_question(record.input) for record in multiplied}
    again = taught_data(tmp_path / "made", sources, held_back=5, times=3)
    assert again == made


@pytest.mark.trials
def test_models_are_taught_once_and_measured(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = open_model(dense_folder(tmp_path / "dense", "llama"))
    assert isinstance(base, ImportedModel)
    monkeypatch.setattr(
        training, "CHANGES", dict.fromkeys(training.CHANGES, SMALL) | {"prose": (*SMALL, *training.PROSE)}
    )
    monkeypatch.setattr(measuring, "taught_data", lambda folder, data: taught_data(folder, data, 5, 3))
    monkeypatch.setattr(measuring, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(solving, "TOKENS", 6)
    monkeypatch.setattr(runs, "tuili", lambda *line: main([*line]))  # in this process, which has torch already
    monkeypatch.setattr(measuring, "VOTING", "hour")
    how = {"kinds": ("hour", "prose"), "numbers": "fp32", "attempts": 2, "folder": str(tmp_path), "data": str(sources)}
    _, figures = measuring.measure(str(base.path), **how)
    assert figures["base_mawps_dev_problems"].median == 4
    assert figures["hour_mawps_dev_forced_unmatched_problems"].median == 2
    assert "hour_mawps_dev_forced_unlike" not in figures, "those that say `Once more:` have most words of one"
    assert {f"hour_gsm8k_{mode}" for mode in ("off", "repair", "forced", "attempts", "attempts_after_2")} <= {*figures}
    assert "prose_asdiv_a" in figures
    assert figures["hour_tokens"].median > 100
    monkeypatch.setattr(runs, "tuili", lambda *_: pytest.fail("taught again"))
    monkeypatch.setattr(measuring, "solve", lambda *_: pytest.fail("measured again"))
    _, again = measuring.measure(str(base.path), **how)
    assert again == figures


def test_the_card_tells_each_part_of_a_set_once() -> None:
    shares = {"": (384, 0.9166), "_unmatched": (255, 0.8741), "_unlike": (145, 0.8)}
    medians = {
        f"long_{test}_{way}{part}{end}": {"median": value}
        for test in ("mawps_dev", "gsm8k")
        for way in ("forced", "repair", "off")
        for part, (count, share) in shares.items()
        for end, value in (("", share), ("_problems", count if test == "mawps_dev" else 500))
    }
    told = card_figures({"figures": medians})
    assert [row["calculator forced"] for row in told.values()] == [0.917, 0.874, 0.8, 0.917]
    assert [name[name.rindex("(") :] for name in told] == ["(384)", "(255)", "(145)", "(500)"]
    assert "none of training with other numbers" in [*told][1]


def test_what_ships_promises_something_about_the_shipped_model() -> None:
    folder = SHIPPED_ADAPTERS / "smollm2-math"
    calibration = read_calibration(folder)
    assert calibration is not None
    assert calibration.model == read_manifest(folder.name).model_hash
    assert calibration.familiarity == familiarity_hash(folder) is not None
    assert b"/" not in read_metadata(folder / FAMILIARITY_FILE)["familiarity"].encode(), "files by their names alone"
    promised = {entry.error_tolerance for entry in calibration.entries if entry.threshold is not None}
    assert promised == {0.1, 0.2}
    assert f"{calibration.sample.fitted + calibration.sample.n} questions" in (ROOT / "docs/real-models.md").read_text()


def test_the_shipped_card_says_what_the_record_says() -> None:
    record = json.loads((RESULTS / "imported_taught.json").read_bytes())
    card = (SHIPPED_ADAPTERS / "smollm2-math" / "README.md").read_text()
    for questions, row in card_figures(record).items():
        assert f"| {questions} | {' | '.join(map(str, row.values()))} |" in card
