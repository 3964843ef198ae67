"""Results of cells in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.harness import cells

Scratch = Callable[[ModuleType], None]


@pytest.fixture
def scratch_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Makes a benchmark keep what it has measured in the folder of the test."""

    def keep_here(benchmark: ModuleType) -> None:
        monkeypatch.setattr(benchmark, "Cells", lambda name, setting: cells.Cells(name, setting, tmp_path / "cells"))

    return keep_here
