"""Benchmarks are found in their rooms by the name that each gives its record."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.harness.record import RESULTS


def test_every_record_is_of_a_benchmark_that_is_found():
    records = {file.stem for file in RESULTS.glob("*.json")}
    assert records <= run.modules().keys()
    assert all(find_spec(module) for module in run.modules().values())


def test_every_module_that_measures_is_found():
    measures = re.compile(r"^def measure\(", re.MULTILINE)
    measuring = [file for file in run.FOLDER.rglob("*.py") if measures.search(file.read_text())]
    assert len(measuring) == len(run.modules())


def test_only_existing_benchmarks_are_run(capsys: pytest.CaptureFixture[str]):
    assert run.main(["absent"]) == 2
    assert capsys.readouterr().err.startswith(
        "bench: error: no benchmark absent: use some of adapted, attention_reads, "
    )


def test_a_failing_benchmark_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd):
    for name, body in (("bad", "raise SystemExit(3)"), ("good", "print('measured')")):
        room = tmp_path / "benchmarks" / f"room_{name}"
        room.mkdir(parents=True)
        code = f'def run(name, measure):\n    {body}\n\nmeasure = None\nif True:\n    run("{name}", measure)\n'
        (room / "measuring.py").write_text(code)
    monkeypatch.setattr(run, "FOLDER", tmp_path / "benchmarks")
    monkeypatch.chdir(tmp_path)
    assert run.modules() == {"bad": "benchmarks.room_bad.measuring", "good": "benchmarks.room_good.measuring"}
    assert run.main(["bad", "good"]) == 1
    output = capfd.readouterr()
    assert "measured" in output.out
    assert output.err == "bench: failed: bad\n"
    assert run.main(["good"]) == 0


def test_two_benchmarks_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for room in ("first", "second"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "own.py").write_text('    run("twice", measure)\n')
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="benchmark twice: both"):
        run.modules()
