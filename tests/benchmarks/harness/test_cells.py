"""Cells that were measured are kept for the same commit and setting, and for no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import cells
from benchmarks.harness.cells import Cells


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    """Sets the commit that is measured."""
    return lambda commit: monkeypatch.setattr(cells, "commit", lambda: commit)


def ask(folder: Path, setting: int = 1) -> list[tuple[int, int]]:
    """What a new run gets for a cell that would now measure 2."""
    return Cells("probe", {"setting": setting}, folder).get("a", lambda: [(2, 2)])


@pytest.mark.parametrize(
    ("first", "then", "setting", "kept"),
    [("c1", "c1", 1, True), ("c1", "c2", 1, False), ("c1", "c1", 2, False), ("c1+", "c1+", 1, False)],
)
def test_a_cell_is_kept_for_the_same_commit_and_setting(first, then, setting, kept, at, tmp_path: Path):
    at(first)
    earlier = Cells("probe", {"setting": 1}, tmp_path)
    assert earlier.get("a", lambda: [(1, 1)]) == [[1, 1]]
    at(then)
    assert ask(tmp_path, setting) == ([[1, 1]] if kept else [[2, 2]])


def test_a_line_that_a_kill_has_cut_is_measured_again(at, tmp_path: Path):
    at("c1")
    first = Cells("probe", {"setting": 1}, tmp_path)
    first.get("b", lambda: 5)
    first.get("a", lambda: [(1, 1)])
    file = tmp_path / "probe.jsonl"
    file.write_text(file.read_text()[:-4])
    assert ask(tmp_path) == [[2, 2]]
    assert Cells("probe", {"setting": 1}, tmp_path).get("b", lambda: 6) == 5
