"""Cells that were measured are kept for the same code and setting, and for no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness import cells
from benchmarks.harness.cells import Cells


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    """Sets the code and the commit that are measured."""

    def set_both(code: str, commit: str = "c1") -> None:
        monkeypatch.setattr(cells, "measured_code", lambda: code)
        monkeypatch.setattr(cells, "commit", lambda: commit)

    return set_both


def ask(folder: Path, setting: int = 1) -> list[tuple[int, int]]:
    """What a new run gets for a cell that would now measure 2."""
    return Cells("probe", {"setting": setting}, folder).get("a", lambda: [(2, 2)])


@pytest.mark.parametrize(
    ("code", "commit", "setting", "kept"),
    [("a", "c1", 1, True), ("a", "c2", 1, True), ("b", "c1", 1, False), ("a", "c1", 2, False)],
)
def test_a_cell_is_kept_for_the_same_code_and_setting(code, commit, setting, kept, at, tmp_path: Path):
    """Whatever is committed."""
    at("a")
    earlier = Cells("probe", {"setting": 1}, tmp_path)
    assert earlier.get("a", lambda: [(1, 1)]) == [[1, 1]]
    at(code, commit)
    assert ask(tmp_path, setting) == ([[1, 1]] if kept else [[2, 2]])


def test_cells_of_a_commit_alone_are_measured_again(at, tmp_path: Path):
    """As an earlier version kept them."""
    at("a")
    header = {"commit": "c1", "setting": {"setting": 1}}
    (tmp_path / "probe.jsonl").write_text(f"{json.dumps(header)}\n{json.dumps({'a': [1]})}\n")
    assert ask(tmp_path) == [[2, 2]]


def test_a_line_that_a_kill_has_cut_is_measured_again(at, tmp_path: Path):
    at("a")
    first = Cells("probe", {"setting": 1}, tmp_path)
    first.get("b", lambda: 5)
    first.get("a", lambda: [(1, 1)])
    file = tmp_path / "probe.jsonl"
    file.write_text(file.read_text()[:-4])
    assert ask(tmp_path) == [[2, 2]]
    assert Cells("probe", {"setting": 1}, tmp_path).get("b", lambda: 6) == 5


def test_processes_that_run_at_a_time_lose_nothing_of_each_other(at, tmp_path: Path):
    at("a")
    first, second = (Cells("probe", {"setting": 1}, tmp_path) for _ in range(2))
    first.get("a", lambda: 1)
    third = Cells("probe", {"setting": 1}, tmp_path)
    second.get("b", lambda: 2)
    third.get("c", lambda: 3)
    later = Cells("probe", {"setting": 1}, tmp_path)
    assert [later.get(key, lambda: 0) for key in "abc"] == [1, 2, 3]
