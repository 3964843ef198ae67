"""A tiny model that says what it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.harness.tiny import tiny_model
from tuili.model import save_model
from tuili.store import LineageEntry

RECIPE = {
    "data": {"domains": ["arithmetic"], "levels": [1.0]}, "curriculum": {"kind": "uniform"}, "train": {"length": 320},
}  # fmt: skip


def save_trained(folder: Path, **sizes: Any) -> Path:
    """Save one of these sizes."""
    save_model(folder, *tiny_model(**sizes), [LineageEntry("train", RECIPE, seeds={"train": 1}, tokens=100)])
    return folder
