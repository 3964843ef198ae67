"""The model card: a README.md in the model folder, written from its lineage and its measured figures.

The figures are kept in the same folder as `tuili/eval.json`, from which `tuili info` shows them. What is measured is
left to `tuili.eval.evaluation`, what a lineage holds to `tuili.store`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tuili.errors import ModelFolderError
from tuili.eval.reporting.report import cells_by_domain, template_environment, write_json, write_text
from tuili.model import check_folder, count_parameters
from tuili.store import read_lineage

EVAL_FILE = Path("tuili") / "eval.json"
"""Where a model's folder keeps the report of its evaluation."""


def write_card(folder: Path, report: Mapping[str, Any]) -> None:
    """Keep `report` in a model folder and describe the model in its README.md."""
    write_json(folder / EVAL_FILE, report)
    lineage = read_lineage(folder)
    recipes = [entry.recipe for entry in lineage if entry.recipe]
    config = check_folder(folder)
    easiest = min(cell["level"] for cell in report["cells"])
    page = (
        template_environment()
        .get_template("card.md.j2")
        .render(
            name=report.get("model", folder.resolve().name),
            report=report,
            levels=list(report["mean"]),
            table=cells_by_domain(report["cells"]),
            lowest=min(
                (cell for cell in report["cells"] if cell["level"] == easiest), key=lambda cell: cell["accuracy"]
            ),
            lineage=lineage,
            figures_line=figures_line,
            trained_length=max((recipe.get("train", {}).get("length", 0) for recipe in recipes), default=0),
            recipe=yaml.safe_dump(dict(recipes[-1]), sort_keys=False).strip() if recipes else "",
            config=config,
            parameters=count_parameters(config),
        )
    )
    write_text(folder / "README.md", page)


def read_figures(folder: Path) -> dict[str, Any] | None:
    """The report that a model's folder keeps, or None. Raises `ModelFolderError` where it cannot be read."""
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
    """The main figures of one entry of a lineage, in one line: loss, accuracy, and accuracy at each exit."""
    shown = [f"{name} {figures[name]:.4g}" for name in ("loss", "accuracy") if name in figures]
    if at_exits := [f"{value:.3f}" for name, value in figures.items() if name.startswith("accuracy_")]:
        shown.append(f"by exit {' / '.join(at_exits)}")
    return ", ".join(shown)
