"""The figures stored in a model's folder, as text and numbers: read and shown without torch.

`tuili.eval.evaluation` measures them, `card` writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuili.errors import ModelFolderError

EVAL_FILE = Path("tuili") / "eval.json"
"""The path of the evaluation report in a model's folder."""


def read_figures(folder: Path) -> dict[str, Any] | None:
    """The report stored in a model's folder, or None. Raises `ModelFolderError` if it cannot be read."""
    path = folder / EVAL_FILE
    if not path.is_file():
        return None
    try:
        figures: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f"{path} is not JSON: {error}") from error
    match figures:
        case {"mean": dict(mean), "mean_depth": float(), "date": str()} if all(
            isinstance(value, float) for value in mean.values()
        ):
            return dict(figures)
    raise ModelFolderError(f"{path} is not a report of tuili eval: measure again with --card")


def figures_line(figures: Mapping[str, float]) -> str:
    """The main figures of one lineage entry, in one line: loss, accuracy, right answers and sizes."""
    shown = [f"{name} {figures[name]:.4g}" for name in ("loss", "accuracy", "agreement") if name in figures]
    if at_exits := [f"{value:.3f}" for name, value in figures.items() if name.startswith("accuracy_")]:
        shown.append(f"by exit {' / '.join(at_exits)}")
    if "right" in figures:
        before = f"{figures['right_before']:.1%} -> " if "right_before" in figures else ""
        shown.append(f"right answers {before}{figures['right']:.1%}")
    if "parameters" in figures and "parameters_before" in figures:
        shown.append(f"{figures['parameters']:,.0f} of {figures['parameters_before']:,.0f} parameters")
    return ", ".join(shown)
