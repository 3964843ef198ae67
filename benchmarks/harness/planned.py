"""What is measured of each parent where options say nothing, and one record of several parents.

One seed at the size of `nano`, and three at that of the quickstart: ways and steps are chosen so that all benchmarks of
smaller models together take some thirteen hours of two cores, by the estimate in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness.command import Measured
from benchmarks.harness.record import Figure
from tuili.errors import InputError
from tuili.store import shipped_names

QUICKSTART = "quickstart"
"""The name of a parent that `tuili train quickstart` makes."""
PARENTS = ("nano", QUICKSTART)
"""Those that are measured by default. The figures of the first one have their plain names in a record."""


class Planned(NamedTuple):
    """What is measured of a parent: ways, a run of each for each seed, and steps of recovery. In options, nothing and 0
    stand for what is planned."""

    ways: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int
    unrecovered: tuple[str, ...] = ()
    """Further ways, which are measured as they came alone, with the first seed."""


class Asked(NamedTuple):
    """What the benchmarks of several parents have in common beside `Planned`. levels: nothing stands for those that the
    parent was trained on. changes: more of the recipes, for all ways. folder: of the runs."""

    per_cell: int
    levels: tuple[int, ...]
    changes: tuple[str, ...]
    folder: Path


def label(model: str) -> str:
    """What a record calls a parent."""
    return model if model in (*shipped_names(), QUICKSTART) else "given"


def check_ways(ways: Collection[str], known: Collection[str]) -> None:
    """Raises `InputError` for a way that is not among the known ones."""
    if others := [way for way in ways if way not in known]:
        raise InputError(f"{', '.join(others)}: no such way is measured; there are {', '.join(known)}")


def of_parents(
    models: Sequence[str],
    plans: Mapping[str, Planned],
    known: Collection[str],
    given: Planned,
    measured: Callable[[str, Planned], Measured],
) -> Measured:
    """The record of all parents. Figures of all but the first have the parent's name in front, and so has their part of
    the configuration. A parent that no plan is for has that of `nano`.

    known: all ways. Raises `InputError` for another way, and for two parents of one name.
    """
    check_ways(given.ways, known)
    names = [label(model) for model in models]
    if len({*names}) < len(names):
        raise InputError(f"--models {' '.join(models)}: a record tells one of each name, and one that has none")
    config, figures = dict[str, Any](), dict[str, Figure]()
    for place, (model, name) in enumerate(zip(models, names, strict=True)):
        plan = plans.get(name, plans["nano"])
        unrecovered = () if given.ways else plan.unrecovered
        chosen = Planned(given.ways or plan.ways, given.seeds or plan.seeds, given.steps or plan.steps, unrecovered)
        of_model, found = measured(model, chosen)
        config |= {name: of_model} if place else of_model
        figures |= {f"{name}_{key}" if place else key: figure for key, figure in found.items()}
    return config, figures
