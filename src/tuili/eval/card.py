"""The model card: a README.md in the model folder, written from its lineage and its measured figures.

The figures are kept beside it as `tuili/eval.json`, so that `tuili info` can show them; nothing is typed by
hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tuili.errors import ModelFolderError
from tuili.eval.report import environment, write_json, write_text
from tuili.model.folder import check_folder
from tuili.model.lineage import read_lineage
from tuili.model.size import count_parameters

EVAL_FILE = Path("tuili") / "eval.json"


def write_card(folder: Path, report: Mapping[str, Any]) -> None:
    """Keep `report` in a model folder and describe the model in its README.md."""
    write_json(folder / EVAL_FILE, report)
    lineage = read_lineage(folder)
    recipes = [entry.recipe for entry in lineage if entry.recipe]
    config = check_folder(folder)
    levels = list(report["mean"])
    table: dict[str, dict[str, Any]] = {}
    for cell in report["cells"]:
        table.setdefault(cell["domain"], {})[str(cell["level"])] = cell
    page = (
        environment()
        .get_template("card.md.j2")
        .render(
            name=report.get("model", folder.resolve().name),
            report=report,
            levels=levels,
            table=table,
            lineage=lineage,
            recipe=yaml.safe_dump(dict(recipes[-1]), sort_keys=False).strip() if recipes else "",
            config=config,
            parameters=count_parameters(config),
        )
    )
    write_text(folder / "README.md", page)


def read_figures(folder: Path) -> dict[str, Any] | None:
    """The report that `write_card` kept, or None. Raises `ModelFolderError` when it is not readable."""
    path = folder / EVAL_FILE
    if not path.is_file():
        return None
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFolderError(f"{path} is not JSON: {error}") from error
    if not isinstance(figures, dict) or not {"mean", "mean_depth", "date"} <= figures.keys():
        raise ModelFolderError(f"{path} is not a report of tuili eval: measure again with --card")
    return figures
