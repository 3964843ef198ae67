"""Exits that are trained for the benchmark in both ways of `tuili exits`, and texts that they are not trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.runs import made
from benchmarks.imported.prompts import DATA, PROBLEMS, WORKED
from tuili.config import load_recipe
from tuili.posttrain import ExitsRecipe, read_texts
from tuili.store import ImportedModel, LineageEntry, model_hash, open_model

SMALLER = ("exits.validation_tokens=8000", "exits.test_tokens=15000")
RECIPES: Mapping[str, Sequence[str]] = {
    "frozen": ("exits.at=[12,18,24]", "exits.rank=256", "exits.tokens=100000", *SMALLER),
    "joint": (
        "exits.at=[10,18,24]",
        "exits.rank=256",
        "exits.tokens=60000",
        *SMALLER,
        "exits.texts=8",
        "exits.adapter.steps=100",
        "exits.confidence.share=0.5",
        "exits.joint.steps=2600",
        "exits.joint.rank=64",
        "exits.joint.learning_rate=1.0e-3",
        "exits.joint.exit_weight=0.8",
        "exits.joint.leaving=0.25",
    ),
}
"""Changes to the shipped recipe by way, for a model of 30 layers. With two cores `joint` takes some two hours."""
SPLIT_SEED = 1
"""Orders the texts. Which of them are for tests is decided by their questions alone."""


def trained(before: ImportedModel, way: str, folder: Path) -> ImportedModel:
    """The model with exits that were trained in this way, in `folder`/exits_WAY, unless they are there."""
    run_folder, changes = folder / f"exits_{way}", [f"exits.way={way}", *RECIPES[way]]
    wanted = load_recipe("exits", changes, ExitsRecipe)

    def is_of(entry: LineageEntry) -> bool:
        recipe = ExitsRecipe.model_validate_json(json.dumps(entry.recipe))
        return recipe == wanted and entry.parent == model_hash(before.path)

    data = [word for file in files() for word in ("--data", str(file))]
    opened = open_model(made(run_folder, is_of, "exits", str(before.path), *changes, *data))
    assert isinstance(opened, ImportedModel)
    return opened


def files() -> list[Path]:
    """What exits are trained on, but for a fifth of the questions."""
    return [DATA / WORKED, DATA / PROBLEMS]


def unseen(model: ImportedModel, count: int) -> list[tuple[Sequence[int], Sequence[int]]]:
    """So many questions of the test part, each with its answer, as ids."""
    texts = read_texts(files(), model.tokenizer, SPLIT_SEED)["test"]
    return [(text.ids[: text.start], text.ids[text.start :]) for text in texts[:count]]
