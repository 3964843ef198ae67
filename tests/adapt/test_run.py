"""A run ends with a taught model that has been measured, and the same one wherever it was interrupted."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.adapt.conftest import Heard
from tuili.adapt import AdaptOptions, AdaptResult, adapt
from tuili.adapt.stages import StageFolder
from tuili.errors import InputError
from tuili.store import model_hash, read_lineage


def options(base: Path, sums: Path, **changes: Any) -> AdaptOptions:
    small: dict[str, Any] = {"times": 1, "passes": 2, "minutes": 600}
    return AdaptOptions(model=str(base), data=sums, **small | changes)


def run(
    base: Path, sums: Path, folder: Path, resume: bool = False, heard: Heard | None = None, **changes: Any
) -> AdaptResult:
    """A run in `folder/run`. What is drawn at random depends on the path, so that is the same for all."""
    with chdir(folder):
        result = adapt(options(base, sums, **changes), Path("run"), resume=resume, listener=(heard or Heard()).listener)
        return replace(result, model=result.model.absolute())


@pytest.fixture(scope="module")
def whole(base: Path, sums: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[AdaptResult, Heard]:
    """A run without interruption."""
    heard = Heard()
    return run(base, sums, tmp_path_factory.mktemp("whole"), heard=heard), heard


def test_a_run_plans_teaches_and_measures(whole: tuple[AdaptResult, Heard], base: Path) -> None:
    result, heard = whole
    (plan,) = heard.plans
    assert [stage.name for stage in plan.stages] == ["before", "teach", "after"]
    assert all(stage.seconds > 0 for stage in plan.stages)
    assert plan.passes == 2
    entry = read_lineage(result.model)[-1]
    assert (entry.step, entry.parent) == ("teach", model_hash(base))
    before, after = result.document["before"], result.document["after"]
    assert before["questions"] == after["questions"] == len(after["rows"])
    assert after["unmatched"] == {key: after[key] for key in after["unmatched"]}  # nothing of the test was taught
    assert after["model"] == model_hash(result.model) != before["model"]
    assert heard.parts == {"multiply", "before", "after"}
    assert heard.lines[0].startswith("90 questions, 70 with steps that check; 20 without")


class Cut(Exception):
    """What ends a run in a test."""


@pytest.mark.parametrize("stage", ["check", "split", "multiply", "plan", "before", "teach", "after"])
def test_a_run_goes_on_behind_any_stage(
    stage: str,
    whole: tuple[AdaptResult, Heard],
    base: Path,
    sums: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = StageFolder.run

    def cut(self: StageFolder, name: str, *arguments: Any) -> Any:
        result = work(self, name, *arguments)
        if name == stage:
            raise Cut
        return result

    with monkeypatch.context() as patch:
        patch.setattr(StageFolder, "run", cut)
        with pytest.raises(Cut):
            run(base, sums, tmp_path)
    again = run(base, sums, tmp_path, resume=True)
    assert again.document["after"]["rows"] == whole[0].document["after"]["rows"]
    assert model_hash(again.model) == model_hash(whole[0].model)


def test_what_cannot_go_on_is_refused_in_a_line(base: Path, sums: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run that could go on"):
        run(base, sums, tmp_path, resume=True)
