"""A model of Tuili's own from which smaller ones are made, and the unseen problems that it and they are asked.

What is made of it, and how, is left to each benchmark and to `compressed`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.answers import Answers
from benchmarks.harness.cells import RUNS, Cells
from benchmarks.harness.planned import QUICKSTART, Asked, label
from benchmarks.harness.runs import made
from tuili.config import load_recipe
from tuili.errors import InputError
from tuili.store import DenseShape, LineageEntry, ModelShape, StoredModel, count_parameters, model_hash, open_model
from tuili.tasks import Problem, trained_domains, unseen_problems
from tuili.train import Recipe, recorded_training

LEVELS = (1, 2, 3)
"""Of a parent that nothing is recorded of."""


@dataclass(frozen=True)
class OwnParent:
    """name: what a record calls it. domains, levels: those that it was trained on at last, unless others are asked for.
    asked: the problems in words. folder: of the runs of what is made of it, which no other parent shares."""

    name: str
    stored: StoredModel
    domains: tuple[str, ...]
    levels: tuple[int, ...]
    problems: Sequence[Problem]
    asked: str
    folder: Path
    cells: Cells
    answers: Answers

    @property
    def told(self) -> dict[str, Any]:
        """What a record says of it."""
        return {"model": self.name, "problems": self.asked, "parameters": parameters(self.stored.shape)}


def own_parent(model: str, benchmark: str, asked: Asked, test_set: int, **setting: Any) -> OwnParent:
    """The parent, with so many problems of each domain and level that it was trained on at last.

    test_set: the number of the set of problems. setting: what else the cells of the benchmark depend on.
    Raises `InputError` for an imported one.
    """
    stored = open_model(str(quickstart(RUNS / QUICKSTART)) if model == QUICKSTART else model)
    if not isinstance(stored, StoredModel):
        raise InputError(f"{model} is imported: this benchmark is of models of Tuili's own, such as nano")
    domains, levels = known(stored)
    levels = asked.levels or levels
    problems = unseen_problems(domains, levels, asked.per_cell, test_set)
    told = f"{asked.per_cell} of each of {len(domains)} domains and levels {', '.join(map(str, levels))}, unseen"
    place = f"{label(model)}_{model_hash(stored.path)[:8]}"
    asking = {"per_cell": asked.per_cell, "domains": list(domains), "levels": list(levels)}
    cells = Cells(f"{benchmark}_{place}", asking | setting)
    answers = Answers(problems, cells)
    return OwnParent(label(model), stored, domains, levels, problems, told, asked.folder / place, cells, answers)


def known(stored: StoredModel) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The domains and levels that a model was trained on at last; where nothing is recorded, those of its experts."""
    recorded = recorded_training(stored.path)
    if recorded is None or not recorded.data.domain_names:
        return trained_domains(stored.shape.domains), LEVELS
    levels = (level for level, share in enumerate(recorded.data.levels, start=1) if share)
    return tuple(recorded.data.domain_names), tuple(levels)


def quickstart(folder: Path) -> Path:
    """The model of the quickstart's recipe, trained in a folder unless it is there."""
    wanted = load_recipe(QUICKSTART, (), Recipe)

    def is_of(entry: LineageEntry) -> bool:
        return Recipe.model_validate_json(json.dumps(entry.recipe)) == wanted

    return made(folder, is_of, "train", QUICKSTART)


def parameters(shape: ModelShape | DenseShape) -> Mapping[str, int]:
    """All, and those that a token uses."""
    counted = count_parameters(shape)
    return {"total": counted.total, "active": counted.active}
