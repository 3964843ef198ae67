"""The model card: a README.md in the model folder, written from its lineage and its measured figures.

The figures are stored in the same folder, in the file defined by `kept`. `tuili.eval.evaluation` measures them;
`tuili.store` reads the lineage.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tuili.eval.reporting.kept import EVAL_FILE, figures_line
from tuili.eval.reporting.page import template_environment
from tuili.eval.reporting.report import cells_by_domain, write_json, write_text
from tuili.model import check_folder, count_parameters
from tuili.store import read_lineage


def write_card(folder: Path, report: Mapping[str, Any]) -> None:
    """Store `report` in a model folder and describe the model in its README.md."""
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
