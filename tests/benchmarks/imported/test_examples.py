"""Models that learn from other examples read as many tokens, of the same questions, and are trained once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.imported.examples import __main__ as measuring
from benchmarks.imported.examples import data, training
from benchmarks.imported.prompts import WORKED
from benchmarks.imported.taught import data as original
from benchmarks.imported.taught import solving
from benchmarks.imported.taught.data import TaughtData, taught_data
from tests.engine.runtime.dense import dense_folder
from tuili.cli.app import main
from tuili.data import ImportOutcome, read_questions
from tuili.store import ImportedModel, open_model

LENGTH, TOKENS = 256, 1000


@pytest.fixture
def files(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaughtData:
    """The data of the comparison, with two questions of GSM8K whose steps do not check."""
    wrong = [{"question": f"How many {what}?", "answer": "They are <<1+1=3>>3.\n#### 3"} for what in ("cats", "dogs")]
    with (sources / WORKED).open("a") as file:
        file.write("".join(f"{json.dumps(line)}\n" for line in wrong))
    monkeypatch.setattr(original, "tuili", lambda *line: main([*line]))  # in this process, which has torch already
    monkeypatch.setattr(data, "taught_data", lambda folder, source: taught_data(folder, source, 5, 3))
    return data.example_data(tmp_path / "taught_data", 2, sources)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportedModel:
    """A model so small that it is trained in seconds."""
    small = ("teach.first_layer=null", "teach.rank=2", "teach.extra_tokens=9", "teach.rows=1", f"teach.length={LENGTH}")
    learns = ("teach.results=learnt", "teach.data.domains=[]", "teach.validation_rows=2")
    monkeypatch.setattr(training, "RECIPE", (*small, *learns))
    monkeypatch.setattr(training, "ROWS", 1)
    monkeypatch.setattr(training, "LENGTH", LENGTH)
    monkeypatch.setattr("benchmarks.harness.runs.tuili", lambda *line: main([*line]))
    model = open_model(dense_folder(tmp_path / "dense", "llama"))
    assert isinstance(model, ImportedModel)
    return model


def test_both_ways_of_answering_have_the_same_questions(files: TaughtData, tmp_path: Path, sources: Path) -> None:
    learnt = list(read_questions(files.gsm8k))
    assert all(one.outcome is ImportOutcome.CHECKED and one.prose for one in learnt)
    whole = list(read_questions(taught_data(tmp_path / "taught_data", sources, 5, 3).gsm8k))
    checked = [one.record.input for one in whole if one.outcome is ImportOutcome.CHECKED]
    assert [one.record.input for one in learnt] == checked
    assert len(checked) < len(whole)
    assert len(list(read_questions(files.tests["asdiv_a"]))) == 2


def test_the_shares_of_the_sources_stay_when_they_are_multiplied(files: TaughtData) -> None:
    once, more = (training.weights(files, kind) for kind in ("once", "multiplied"))
    for name, file in (("mawps", files.mawps), ("gsm8k", files.gsm8k)):
        assert once[file] == more[file] + more[files.multiplied[name]]
    assert training.weights(files, "equations") == training.weights(files, "prose")


def test_all_kinds_read_as_many_tokens(files: TaughtData, base: ImportedModel, tmp_path: Path) -> None:
    steps = training.steps_of(TOKENS, base.tokenizer)
    room = TOKENS / steps
    for kind in ("multiplied", "prose"):
        model, curve = training.trained(base, kind, files, TOKENS, 1, tmp_path / "runs")
        assert curve[-1][0] == steps
        recipe = json.loads((model.path.parent / "run.json").read_text())["recipe"]
        assert recipe["response"] == ("prose" if kind == "prose" else "steps")
        tokens = json.loads((model.path / "tuili" / "lineage.json").read_text())[-1]["tokens"]
        assert TOKENS - room < tokens < TOKENS + room


@pytest.mark.trials
def test_the_models_are_trained_and_measured_once(
    files: TaughtData, base: ImportedModel, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "Cells", lambda name, setting: Cells(name, setting, tmp_path))
    monkeypatch.setattr("benchmarks.harness.cells.commit", lambda: "c1")
    monkeypatch.setattr(solving, "TOKENS", 6)
    how = {"kinds": ("equations", "prose"), "tokens": 500, "asked": 2, "numbers": "fp32"}
    how |= {"folder": str(tmp_path), "data": str(sources)}
    config, figures = measuring.measure(str(base.path), **how)
    assert figures["base_asdiv_a_problems"].runs == [2]
    assert {f"equations_gsm8k_{mode}" for mode in ("off", "forced")} | {"prose_mawps_dev"} <= {*figures}
    assert len(figures["equations_over_prose_asdiv_a_off"].runs) == 2
    assert {*config["validation_losses"]} == {f"{kind}_{seed}" for kind in ("equations", "prose") for seed in (1, 2)}
    monkeypatch.setattr("benchmarks.harness.runs.tuili", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(measuring, "solve", lambda *_, **__: pytest.fail("measured again"))
    assert measuring.measure(str(base.path), **how) == (config, figures)


def test_points_are_told_seed_by_seed() -> None:
    figures = {"equations_gsm8k_off": Figure("share", [0.5, 0.75]), "prose_gsm8k": Figure("share", [0.25, 0.75])}
    figures |= {"equations_gsm8k_forced": Figure("share", [0.75, 1.0])}  # nothing calculates for prose
    figures |= {
        f"{kind}_gsm8k_forced": Figure("share", [share]) for kind, share in (("once", 0.5), ("multiplied", 0.75))
    }
    assert measuring.compared(figures, ["gsm8k", "asdiv_a"]) == {
        "equations_over_prose_gsm8k_off": Figure("points", [25, 0]),
        "multiplied_over_once_gsm8k_forced": Figure("points", [25]),
    }
