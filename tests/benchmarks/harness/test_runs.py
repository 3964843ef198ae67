"""A run that a benchmark makes is saved where the benchmark is interrupted, and tells its hours and its code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.harness import runs
from benchmarks.harness.runs import SESSIONS, made, runs_told
from tuili.cli.app import EXIT_INTERRUPTED
from tuili.errors import InputError
from tuili.store import LineageEntry

CHILD = """
import pathlib, signal, sys, time
def save(*_):
    time.sleep(0.6)  # longer than what subprocess.run gives it
    pathlib.Path("saved").touch()
    sys.exit(130)
for number in (signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, save)
pathlib.Path("begun").touch()
time.sleep(600)
"""
PARENT = f"""
import signal, sys
from benchmarks.harness.runs import ended
signal.signal(signal.SIGINT, signal.SIG_IGN if "ignored" in sys.argv else signal.default_int_handler)
try:
    ended([sys.executable, "-c", {CHILD!r}])
except KeyboardInterrupt:
    sys.exit(7)
"""


@pytest.mark.parametrize("way", ["ctrl-c", "sigterm", "sigterm where ctrl-c is ignored"])
def test_a_command_that_is_interrupted_comes_to_its_end(way: str, tmp_path: Path) -> None:
    """A shell lets what it begins in the background ignore Ctrl-C."""
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}
    command = [sys.executable, "-c", PARENT, *way.split()]
    parent = subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True)
    while not (tmp_path / "begun").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    if way == "ctrl-c":  # which a terminal sends to all
        os.killpg(parent.pid, signal.SIGINT)
    else:
        os.kill(parent.pid, signal.SIGTERM)
    assert parent.wait() == 7
    assert (tmp_path / "saved").exists()


def test_a_command_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "ended", lambda _: 2)
    with pytest.raises(InputError, match="tuili compress prune failed with exit code 2"):
        runs.tuili("compress", "prune")
    monkeypatch.setattr(runs, "ended", lambda _: EXIT_INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        runs.tuili("compress", "prune")


def test_a_run_tells_its_hours_and_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "reap_2_1"
    codes = iter(["a", "a", "b"])
    now = iter([0.0, 3600.0, 0.0, 1800.0])

    def tuili(*line: str) -> None:
        assert ("--resume" in line) == folder.is_dir()
        if folder.is_dir():
            (folder / "model").mkdir()
            return
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"environment": {"code": next(codes)}}))
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "tuili", tuili)
    monkeypatch.setattr(runs, "code_hash", lambda: next(codes))
    monkeypatch.setattr(runs, "monotonic", lambda: next(now))
    monkeypatch.setattr(runs, "read_lineage", lambda _: [LineageEntry("prune")])
    with pytest.raises(KeyboardInterrupt):
        made(folder, lambda entry: True, "compress", "prune")
    assert made(folder, lambda entry: True, "compress", "prune") == folder / "model"
    assert [json.loads(line) for line in (folder / SESSIONS).read_text().splitlines()] == [
        {"hours": 1.0, "code": "a"}, {"hours": 0.5, "code": "b"},
    ]  # fmt: skip
    monkeypatch.setattr(runs, "code_hash", lambda: "b")
    assert runs_told([folder / "model"]) == {"reap_2_1": {"hours": 1.5, "other_code": ["a"]}}
    capsys.readouterr()
    made(folder, lambda entry: True, "compress", "prune")
    assert "reap_2_1 is of other code, a: remove its folder" in capsys.readouterr().out
    (folder / "run.json").write_text(json.dumps({"environment": {"code": "b"}}))
    (folder / SESSIONS).unlink()
    monkeypatch.setattr(runs, "read_lineage", lambda _: [LineageEntry("prune", hours=0.25)])
    assert runs_told([folder / "model"]) == {"reap_2_1": {"hours": 0.25, "of_steps_alone": True}}


def test_a_model_of_another_recipe_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "reap_2_1"
    monkeypatch.setattr(runs, "tuili", lambda *line: (folder / "model").mkdir(parents=True))
    monkeypatch.setattr(runs, "read_lineage", lambda _: [LineageEntry("prune")])
    for _ in range(3):
        made(folder, lambda entry: False, "compress", "prune")
    assert {path.name for path in tmp_path.iterdir()} == {"reap_2_1", "reap_2_1.1", "reap_2_1.2"}
    assert "reap_2_1 is of another recipe, and is put aside as reap_2_1.2" in capsys.readouterr().out
