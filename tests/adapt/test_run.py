"""A run ends with a taught model that promises something and a page, and refuses what it cannot go on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.adapt.conftest import BEFORE_PLAN, IN_PLAN, Heard, run
from tuili.adapt import AdaptResult
from tuili.engine import valid_calibration
from tuili.errors import InputError
from tuili.store import model_hash, open_model, read_lineage


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
    assert after["unmatched"] == {key: after[key] for key in after["unmatched"]}  # nothing of the test was taught
    assert after["model"] == model_hash(result.model) != before["model"]
    assert after["calculator"] == "forced"
    assert (after["several"]["attempts"], after["several"]["questions"]) == (2, after["questions"])
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
