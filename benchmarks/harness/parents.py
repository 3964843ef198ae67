"""A model of Tuili's own from which smaller ones are made, and the unseen problems that it and they are asked.

What is made of it, and how, is left to each benchmark and to `compressed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.harness.answers import Answers
from benchmarks.harness.cells import Cells
from tuili.errors import InputError
from tuili.store import DenseShape, ModelShape, StoredModel, count_parameters, open_model, shipped_names
from tuili.tasks import Problem, trained_domains, unseen_problems


@dataclass(frozen=True)
class OwnParent:
    """name: as it was asked for. domains: those that it knows. asked: the problems in words."""

    name: str
    stored: StoredModel
    domains: tuple[str, ...]
    problems: Sequence[Problem]
    asked: str
    cells: Cells
    answers: Answers

    @property
    def told(self) -> dict[str, Any]:
        """What a record says of it."""
        name = self.name if self.name in shipped_names() else "given"
        return {"model": name, "problems": self.asked, "parameters": parameters(self.stored.shape)}


def own_parent(
    name: str, benchmark: str, per_cell: int, levels: Sequence[int], test_set: int, **setting: Any
) -> OwnParent:
    """The parent, with so many problems of each domain and level. Raises `InputError` for an imported one.

    test_set: the number of the set of problems. setting: what else the cells of the benchmark depend on.
    """
    stored = open_model(name)
    if not isinstance(stored, StoredModel):
        raise InputError(f"{name} is imported: this benchmark is of models of Tuili's own, such as nano")
    domains = trained_domains(stored.shape.domains)
    problems = unseen_problems(domains, levels, per_cell, test_set)
    told = f"{per_cell} of each of {len(domains)} domains and levels {', '.join(map(str, levels))}, unseen"
    cells = Cells(benchmark, {"per_cell": per_cell, "levels": list(levels)} | setting)
    return OwnParent(name, stored, domains, problems, told, cells, Answers(problems, cells))


def parameters(shape: ModelShape | DenseShape) -> Mapping[str, int]:
    """All, and those that a token uses."""
    counted = count_parameters(shape)
    return {"total": counted.total, "active": counted.active}
