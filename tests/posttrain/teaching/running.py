"""Short teachings of the tiny model."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from tuili.posttrain import TeachingConfig, TeachingRecipe, TeachingResult, teach


def config(folder: Path, data: Path, **changes: Any) -> TeachingConfig:
    """A recipe of 12 steps on a file."""
    tree: dict[str, Any] = {
        "model": str(folder), "data": {"files": {str(data): 1}}, "rank": 4, "steps": 12, "rows": 2, "length": 128,
        "learning_rate": 0.01, "extra_tokens": 50, "schedule": {"warmup": 2}, "checkpoint": {"interval": 5},
        "log": {"interval": 4},
    }  # fmt: skip
    own = [key for key in changes if key in ("files", "validation", "domains", "lower_case")]
    tree["data"] |= {key: changes.pop(key) for key in own}
    return TeachingRecipe.model_validate_json(json.dumps({"teach": tree | changes})).teach


def run(folder: Path, data: Path, out: Path, resume: bool = False, **changes: Any) -> TeachingResult:
    """A session."""
    return teach(config(folder, data, **changes), out, resume=resume, console=Console(quiet=True))


def told(folder: Path, data: Path, out: Path, resume: bool = False, **changes: Any) -> str:
    """What a session says."""
    console = Console(file=io.StringIO(), width=1000)
    teach(config(folder, data, **changes), out, resume=resume, console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
