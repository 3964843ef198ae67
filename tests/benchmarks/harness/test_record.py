"""A benchmark's record: its statistics, its fields, and that it gives no host and no path away."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.harness.record import Figure, commit, file_system, measured_code, time_runs, write_record
from tuili.machine import machine


def test_a_figure_keeps_its_runs_and_sums_them_up():
    assert Figure("ms", [4.0, 1.0, 2.0]).summary() == {
        "unit": "ms", "n": 3, "median": 2.0, "min": 1.0, "max": 4.0, "spread": 3.0, "runs": [4.0, 1.0, 2.0],
    }  # fmt: skip


def test_a_figure_without_runs_is_refused():
    with pytest.raises(ValueError, match="at least one run"):
        Figure("ms", [])


def test_a_difference_around_zero_has_a_spread_too():
    assert Figure("points", [-2.0, 0.0, 2.0]).spread == 4.0


def test_timed_functions_take_turns_after_their_warm_up():
    calls: list[str] = []
    first, second = time_runs(lambda: calls.append("a"), lambda: calls.append("b"), n=3, warmup=2)
    assert "".join(calls) == "abab" + "ababab"
    assert len(first.runs) == len(second.runs) == 3
    assert first.unit == "ms"
    assert min(first.runs) >= 0


def test_a_record_says_what_is_needed_to_repeat_it(tmp_path):
    file = write_record("probe", "abc", {"tokens": 64}, {"decode": Figure("ms", [1.0, 2.0, 3.0])}, tmp_path)
    record = json.loads(file.read_text())
    assert file == tmp_path / "probe.json"
    assert (record["benchmark"], record["commit"]) == ("probe", "abc")
    assert record["config"] == {"tokens": 64}
    assert record["figures"]["decode"]["median"] == 2.0
    assert record["versions"]["python"] == platform.python_version()
    assert record["versions"]["torch"].startswith("2.")
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["memory_gib"] > 0
    assert record["machine"]["cpu"]


def test_a_record_names_no_host_and_no_path(tmp_path):
    text = write_record("probe", "abc", {}, {"x": Figure("ms", [1.0])}, tmp_path).read_text()
    assert "/" not in text
    assert platform.node() not in text


def test_a_figure_that_is_not_a_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_record("probe", "abc", {}, {"x": Figure("ms", [float("nan")])}, tmp_path)


def test_the_commit_is_marked_when_the_work_tree_differs(monkeypatch, tmp_path):
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr("benchmarks.harness.record.ROOT", tmp_path)
    assert commit() is None
    git("init")
    git("commit", "--allow-empty", "--message", "first")
    clean = commit()
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "notes.md").write_text("not measured")
    assert commit() == clean
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "results" / "new.json").touch()
    assert commit() == clean
    for measured in ("src/new.py", "benchmarks/engine/peers/new.py"):
        file = tmp_path / measured
        file.parent.mkdir(parents=True)
        file.touch()
        assert commit() == clean + "+"
        file.unlink()


def test_the_processor_is_named_as_the_system_names_it():
    assert machine()["cpu"] in Path("/proc/cpuinfo").read_text() + platform.machine()


def test_the_code_is_that_of_the_files_that_are_measured(tmp_path: Path):
    for name in ("src/tuili/a.py", "benchmarks/b/c.py", "recipes/d.yaml", "pyproject.toml", "docs/e.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    before = measured_code(tmp_path)
    for name in ("docs/e.md", "src/tuili/__pycache__/a.pyc", "benchmarks/results/b.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("2")
    assert measured_code(tmp_path) == before
    hashes = {before}
    for name in ("src/tuili/a.py", "benchmarks/b/c.py", "recipes/d.yaml", "pyproject.toml", "src/tuili/new.toml"):
        (tmp_path / name).write_text("2")
        hashes.add(measured_code(tmp_path))
    assert len(hashes) == 6


def test_a_folder_lies_on_the_file_system_that_was_mounted_nearest_and_last(tmp_path, monkeypatch):
    mounts = f"""
overlay / overlay rw 0 0
tmpfs {tmp_path} tmpfs rw,size=1k 0 0
/dev/vdb {tmp_path} ext4 rw 0 0
server:/a {tmp_path}/a\\040disk nfs4 rw 0 0
""".lstrip()
    monkeypatch.setattr("benchmarks.harness.record.MOUNTS", tmp_path / "mounts")
    assert file_system(tmp_path) is None
    (tmp_path / "mounts").write_text(mounts)
    (tmp_path / "link").symlink_to(tmp_path / "a disk" / "runs")
    for place, kind in (("..", "overlay"), ("a", "ext4"), ("a disk", "nfs4"), ("link", "nfs4")):
        assert file_system(tmp_path / place) == kind
