"""A run ends with a taught model that promises something and a page, and refuses what it cannot go on with."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.adapt.conftest import BEFORE_PLAN, IN_PLAN, Heard, run
from tests.store.dense_folders import KINDS, save_dense
from tuili.adapt import AdaptOptions, AdaptResult, Plan, adapt
from tuili.adapt.options import refuse_unfit
from tuili.adapt.questions import PARTS
from tuili.adapt.stages import NAMES
from tuili.data import read_records
from tuili.engine import valid_calibration
from tuili.errors import InputError
from tuili.eval import ALIKE, likeness
from tuili.store import (
    ImportedModel,
    LineageEntry,
    Quantization,
    model_hash,
    open_model,
    read_lineage,
    write_lineage,
)
from tuili.train import RunFolder


def test_a_run_plans_teaches_and_measures(whole: tuple[AdaptResult, Heard], base: Path) -> None:
    result, heard = whole
    (plan,) = heard.plans
    assert [stage.name for stage in plan.stages] == [name for name in IN_PLAN if name != "assemble"]
    assert all(stage.seconds > 0 for stage in plan.stages)
    assert plan.passes == 2
    *_, taught, exits, judged = read_lineage(result.model)
    assert (taught.step, taught.parent) == ("teach", model_hash(base))
    assert (exits.step, judged.step) == ("exits", "verifier")
    before, after = result.document["before"], result.document["after"]
    assert before["questions"] == after["questions"] == len(after["rows"])
    data = result.model.parent / "data"
    asked, learnt = ([one.input for one in read_records(data / f"{name}.jsonl")] for name in ("test", "taught"))
    for one in (before, after):
        assert [row["likeness"] for row in one["rows"]] == pytest.approx(likeness(asked, learnt))
        assert one["unlike"]["questions"] == sum(row["likeness"] < ALIKE for row in one["rows"])
    parts = result.document["split"]
    assert result.document["left_out"] == 90 - sum(parts[name] for name in PARTS) > 0
    assert any(f"{result.document['left_out']} that ask the same as others" in line for line in heard.lines)
    assert any(f"{parts['teach']} of {parts['kinds']} kinds to teach" in line for line in heard.lines)
    paced = json.loads((result.model.parent / "stages" / "plan.json").read_text())["result"]["timing"]
    assert paced["untaught_tokens"] < 60, "answers of this model end soon"
    assert after["model"] == model_hash(result.model) != before["model"]
    assert after["calculator"] == "forced"
    assert (after["attempts"], after["several"]) == (2, None), "a value that the checker writes needs no attempt more"
    assert {"multiply", "before", "after", "problems"} <= heard.parts
    assert heard.lines[0].startswith("90 questions, 70 with steps that check; 20 without")
    assert [stage["name"] for stage in result.document["stages"]] == [*BEFORE_PLAN, "plan", *IN_PLAN]


def test_a_run_leaves_a_model_that_promises_and_a_page(whole: tuple[AdaptResult, Heard]) -> None:
    folder = whole[0].model.parent
    document = json.loads((folder / "report.json").read_text())
    assert document == json.loads(json.dumps(whole[0].document))
    page = (folder / "report.html").read_text()
    assert "Learning curve" in page
    assert "Risk over coverage" in page
    assert "http" not in page
    shape = open_model(folder / "model").shape
    assert shape.exit_layers == (1, 2)
    calibration, why = valid_calibration(folder / "model", shape.exit_threshold)
    assert calibration is not None, why
    assert calibration.verifier == document["verifier"]["verifier"]
    assert len(document["calibrate"]["classes"]) == 6


def test_another_run_is_refused_in_a_line(
    whole: tuple[AdaptResult, Heard], base: Path, sums: Path, tmp_path: Path
) -> None:
    folder = whole[0].model.parent.parent
    with pytest.raises(InputError, match="holds no run that could go on"):
        run(base, sums, tmp_path, resume=True)
    with pytest.raises(InputError, match="already holds a run: add --resume"):
        run(base, sums, folder)
    with pytest.raises(InputError, match="began with another options"):
        run(base, sums, folder, resume=True, times=2)
    other = tmp_path / "other.jsonl"
    other.write_text(sums.read_text().replace("pens", "cats"))
    with pytest.raises(InputError, match="began with another data file"):
        run(base, other, folder, resume=True)
    with pytest.raises(InputError, match="began with another model"):
        run(folder / "run" / "teach" / "model", sums, folder, resume=True)
    with pytest.raises(InputError, match=r'another name of the folder \("run", not "/.*give the same'):
        run(base, sums, folder, resume=True, out=folder / "run")
    moved = shutil.copytree(base, tmp_path / "moved")
    with pytest.raises(InputError, match="began with another folder of the model"):
        run(moved, sums, folder, resume=True)


def test_what_cannot_be_had_is_refused_before_anything_is_done(base: Path, sums: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--exits: .* has 2 layers: give depths below"):
        run(base, sums, tmp_path, exits=(1, 2))
    learnt = shutil.copytree(base, tmp_path / "learnt")
    write_lineage(learnt, (LineageEntry("teach", recipe={"teach": {"qat": True}}),))
    with pytest.raises(InputError, match="was taught in int8, which adapting would undo: adapt the model that it was"):
        run(learnt, sums, tmp_path)
    factors = save_dense(tmp_path / "factors", **KINDS["llama, factors"])
    with pytest.raises(InputError, match="has factors, which get no terms: adapt the model that it was made of"):
        run(factors, sums, tmp_path)
    stored = open_model(base)
    assert isinstance(stored, ImportedModel)
    whole = replace(stored, shape=replace(stored.shape, quantization=Quantization()))
    with pytest.raises(InputError, match=r"is in whole numbers, .*: adapt the model that it was made of"):
        refuse_unfit(AdaptOptions(model=str(base), data=sums), whole)
    assert not (tmp_path / "run").exists()
    for name in NAMES:
        (tmp_path / name / name).mkdir(parents=True)
        with pytest.raises(InputError, match=rf"has {name} and no run\.json: choose another --out"):
            run(base, sums, tmp_path, out=Path(name))
    (tmp_path / "run").mkdir()
    with RunFolder(tmp_path / "run").locked(), pytest.raises(InputError, match="by another process"):
        run(base, sums, tmp_path)


def test_questions_that_are_too_long_to_be_learnt_are_told(
    base: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Planned(Exception):
        """Nothing more is wanted."""

    def stop(plan: Plan) -> None:
        raise Planned(plan.stages[1].does)

    file, heard = tmp_path / "long.jsonl", Heard()

    def begin(data: list[dict[str, object]], out: str) -> None:
        file.write_text("".join(json.dumps(one) + "\n" for one in data))
        options = AdaptOptions(model=str(base), data=file, times=0)
        adapt(options, tmp_path / out, resume=False, listener=replace(heard.listener, planned=stop))

    pace = dict.fromkeys(("step_seconds", "teaching_overhead", "loading", "tokens_per_second", "untaught_tokens"), 1.0)
    monkeypatch.setattr("tuili.adapt.run.measure_pace", lambda *_: pace)
    monkeypatch.setattr("tuili.adapt.teaching.LENGTHS", (128,))
    records = [json.loads(line) for line in sums.read_text().splitlines()]
    long = [{**one, "steps": ["1 + 1 = 2"] * 30, "output": "2"} for one in records]
    with pytest.raises(Planned) as planned:
        begin([*long[:50], *records[50:]], "some")
    taught = json.loads((tmp_path / "some" / "stages" / "split.json").read_text())["result"]["teach"]
    count = json.loads((tmp_path / "some" / "stages" / "plan.json").read_text())["result"]["too_long"]
    assert 0 < count < taught
    assert f"{count} with their steps have more than " in heard.lines[-1]
    assert f"learn {taught - count} questions" in str(planned.value)
    with pytest.raises(InputError, match=r"long\.jsonl: with its steps, every taught question has more than"):
        begin(long, "all")
