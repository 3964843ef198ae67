"""What tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder without a fault."""
    return save_tiny(tmp_path_factory.mktemp("sound") / "model")
