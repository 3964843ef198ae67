"""Stages that are done are skipped, and only where their inputs are the same and what they wrote is there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tuili.adapt import stages as stages_module
from tuili.adapt.stages import StageFolder, begin
from tuili.errors import InputError
from tuili.train import RunFolder

PLACES = {"name of the folder": "run"}


class Work:
    """A stage that counts its calls."""

    def __init__(self, result: dict[str, Any]) -> None:
        self.calls, self._result = 0, result

    def __call__(self) -> dict[str, Any]:
        self.calls += 1
        return self._result


def test_a_stage_is_done_once(tmp_path: Path) -> None:
    first, second = Work({"a": 1}), Work({"b": [1, 2]})
    for _ in range(2):
        stages = StageFolder(tmp_path / "stages", {"data": "x"})
        assert stages.run("first", first) == {"a": 1}
        assert stages.run("second", second) == {"b": [1, 2]}
    assert (first.calls, second.calls) == (1, 1)
    assert [done.skipped for done in stages.done.values()] == [True, True]


def test_a_stage_is_done_again_after_others_or_without_its_files(tmp_path: Path) -> None:
    second = Work({"b": 1})
    for result in ({"a": 1}, {"a": 2}):
        (tmp_path / "stages" / "first.json").unlink(missing_ok=True)
        stages = StageFolder(tmp_path / "stages", {})
        stages.run("first", Work(result))
        stages.run("second", second)
    assert second.calls == 2
    (tmp_path / "stages" / "second.json").write_text("{")
    for made in ([], [tmp_path / "made"]):
        stages = StageFolder(tmp_path / "stages", {})
        stages.run("first", Work({"a": 2}))
        stages.run("second", second, made)
    assert second.calls == 4
    left_out = Work({"why": "too few"})
    for _ in range(2):
        StageFolder(tmp_path / "stages", {}).run("third", left_out, [tmp_path / "never made"])
    assert left_out.calls == 1


def test_the_time_of_a_stage_that_ends_early_counts(tmp_path: Path) -> None:
    def interrupted() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StageFolder(tmp_path, {}).run("first", interrupted)
    kept = json.loads((tmp_path / "first.json").read_text())
    assert kept["seconds"] > 0
    assert kept["result"] is None
    (tmp_path / "first.json").write_text(json.dumps(kept | {"seconds": 100.0}))
    stages = StageFolder(tmp_path, {})
    stages.run("first", Work({}))
    assert stages.done["first"].seconds > 100
    assert not stages.done["first"].skipped


def test_the_time_of_a_stage_is_kept_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill leaves what was written by then."""
    monkeypatch.setattr(stages_module, "BEAT", 0.01)
    seen = list[dict[str, Any]]()

    def work() -> dict[str, Any]:
        for _ in range(1000):
            if (tmp_path / "first.json").exists():
                break
            time.sleep(0.01)
        seen.append(json.loads((tmp_path / "first.json").read_text()))
        return {"a": 1}

    StageFolder(tmp_path, {}).run("first", work)
    assert seen[0]["seconds"] > 0
    assert seen[0]["result"] is None
    (tmp_path / "first.json").write_text(json.dumps(seen[0] | {"seconds": 100.0}))
    again = StageFolder(tmp_path, {})
    assert again.run("first", work) == {"a": 1}
    assert again.done["first"].seconds > 100
    assert json.loads((tmp_path / "first.json").read_text())["result"] == {"a": 1}


def test_another_run_is_refused_by_what_differs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(InputError, match="holds no run that could go on"):
        begin(folder, {"model": "m"}, PLACES, resume=True)
    begin(folder, {"model": "m", "options": {"times": 1}}, PLACES, resume=False)
    with pytest.raises(InputError, match="add --resume"):
        begin(folder, {"model": "m", "options": {"times": 1}}, PLACES, resume=False)
    begin(folder, {"model": "m", "options": {"times": 1}}, PLACES, resume=True)
    with pytest.raises(InputError, match=r'another options \(\{"times": 1\}, not \{"times": 2\}\): give'):
        begin(folder, {"model": "m", "options": {"times": 2}}, PLACES, resume=True)
