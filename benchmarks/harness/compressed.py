"""Models by the verbs of `tuili compress`, each in a folder of its own, and what their lineages say of them.

Accuracy is left to the benchmark, so the verbs measure none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.harness.runs import made
from tuili.compress import DistilRecipe, FactoriseRecipe, PruneRecipe, QuantizeRecipe, TurnSettings, measure_latency
from tuili.config import Config, load_recipe
from tuili.engine import Numbers
from tuili.store import LineageEntry, count_parameters, model_hash, open_model, read_lineage, weight_bytes
from tuili.train import read_log

TURNS = TurnSettings(seconds=4.0)
Curve = list[tuple[int, float]]
"""Divergences from the parent in nats a token, each behind the tokens that had been read."""


@dataclass(frozen=True)
class Verb:
    """section: of its recipe, which is also the name of the shipped one. schema: that of the recipe."""

    name: str
    section: str
    schema: type[Config]


PRUNE = Verb("prune", "prune", PruneRecipe)
FACTORISE = Verb("factorise", "factorise", FactoriseRecipe)
DISTIL = Verb("distil", "distil", DistilRecipe)
QAT = Verb("qat", "quantize", QuantizeRecipe)


def compressed(
    parent: Path, verb: Verb, changes: Sequence[str], steps: int, seed: int, folder: Path, data: Path | None = None
) -> Path:
    """The model that a verb makes of a parent, with a recovery of so many steps, in the folder of a run.

    changes: to the recipe. data: what it recovers with in place of what it was trained on at last.
    """
    healing = (f"{verb.section}.healing.steps={steps}", f"{verb.section}.healing.seed={seed}")
    changes = (*changes, *healing)
    wanted: Config = getattr(load_recipe(verb.section, changes, verb.schema), verb.section)
    given = () if data is None else ("--data", str(data))

    def is_of(entry: LineageEntry) -> bool:
        recipe = entry.recipe[verb.section]
        if not type(wanted).model_fields.keys() <= recipe.keys():
            return False  # made when there were fewer
        own = {name: recipe[name] for name in type(wanted).model_fields}  # a lineage has hashes and files beside them
        begun_from = recipe.get("teacher_hash", entry.parent)  # a student may have no weights of its teacher's
        same = type(wanted).model_validate_json(json.dumps(own)) == wanted
        return same and begun_from == model_hash(parent) and recipe.get("data") == (data and str(data))

    return made(folder, is_of, "compress", verb.name, str(parent), *changes, *given, "--problems", "0")


def changes_of(verb: Verb, changes: Sequence[str]) -> tuple[str, ...]:
    """Of changes to the recipes of several verbs, those to this one's."""
    return tuple(change for change in changes if change.startswith(f"{verb.section}."))


def recovery(model: Path, last: float = inf) -> Curve:
    """How a model recovered, up to the step `last`."""
    return [(line["tokens"], line["loss"]) for line in read_log(model.parent) if line["step"] <= last]


def last_entry(model: Path) -> LineageEntry:
    """What its lineage says of the verb."""
    return read_lineage(model)[-1]


def costs(name: str, model: Path) -> dict[str, Figure]:
    """What is left of a model, what its recovery took, and how close it came to its parent."""
    entry, counted = last_entry(model), count_parameters(open_model(model).shape)
    found = {
        "weights": Figure("MB", [weight_bytes(model) / 1e6]),
        "parameters": Figure("parameters", [counted.total]),
        "active": Figure("parameters", [counted.active]),
        "tokens": Figure("tokens", [entry.tokens]),
        "hours": Figure("hours", [entry.hours]),
    }
    told = {
        "depth": ("mean_depth", "layers"),
        "depth_before": ("mean_depth_before", "layers"),
        "divergence": ("loss", "nats a token"),
        "agreement": ("agreement", "share"),
        "four_bits": ("four_bits", "share of the weights of matrices"),
    }
    found |= {key: Figure(unit, [entry.figures[of]]) for key, (of, unit) in told.items() if of in entry.figures}
    return {f"{name}_{key}": figure for key, figure in found.items()}


def token_time(
    name: str, parent: Path, model: Path, cells: Cells, numbers: tuple[Numbers, Numbers] = ("auto", "auto")
) -> dict[str, Figure]:
    """Processor time of a token that is written, in turns with the parent: milliseconds, and over the parent's.

    numbers: in which the parent and the model compute.
    """
    key = f"time of {model_hash(model)} in {numbers[1]} by {model_hash(parent)} in {numbers[0]}"
    found = cells.get(key, lambda: asdict(measure_latency(parent, model, TURNS, numbers)))
    return {
        f"{name}_token": Figure("CPU-ms", [found["share"] * found["parent"]]),
        f"{name}_token_over_parent": Figure("x", [found["share"]]),
        f"{name}_token_spread": Figure("x", [found["spread"]]),
    }
