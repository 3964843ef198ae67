"""Estimates the tokens of a recovery from a measured one: its divergence from the parent against the tokens read.

Only the part after the last change of the network counts, with the tokens of all rounds. A larger model is assumed to
need the same number of tokens per parameter. That, a strength other than the measured one, and anything beyond the
measured tokens, is an extrapolation, and is reported as such. If nothing was measured, nothing is estimated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, isclose, log
from pathlib import Path
from typing import Any

from tuili.compress import DistilConfig, FactoriseRecipe, PruneRecipe, QuantizeRecipe, stage_steps
from tuili.config import Config, load_recipe
from tuili.errors import InputError, one_line
from tuili.store import check_recorded, read_lineage
from tuili.train import read_log

RECORDS = Path(__file__).parents[3] / "benchmarks" / "results"
"""Where the benchmark records are, in a source tree."""
RECORD_OF = {
    "prune": ("pruned", "reconstruction"),
    "factorise": ("factorised", "dynamic"),
    "distil": ("distilled", "masked"),
    "quantize": ("quantised", "int8"),
}
"""The benchmark that stores curves of a verb, and which of its ways is the verb's default."""
SCHEMAS: Mapping[str, type[Config]] = {"prune": PruneRecipe, "factorise": FactoriseRecipe, "quantize": QuantizeRecipe}
STRENGTHS = {
    "prune": ("share", "by", "multiple", "key_value_heads", "experts"),
    "factorise": ("keep",),
    "quantize": ("numbers", "cache"),
}
"""The recipe keys that set the strength of a compression; a student's strength is the share of parameters left."""
NEAR = 1.1
"""A model has recovered when its divergence is at most this multiple of the last one measured."""
LEAST_SLOPE = 0.01
WINDOW = 10
"""A divergence is smoothed over a tenth of the measured points."""
MARGIN = 1.02
"""A record has no steps: the tokens read before the last change are assumed to be this multiple of the steps' share."""
Point = tuple[float, float]
"""Tokens, and the divergence after them in nats per token."""


@dataclass(frozen=True)
class HealingCurve:
    """source: what was measured, for readers. parameters: of the parent. points: tokens rising, divergences smoothed.
    strength: of the measured compression, as in `strength_of`. kept: by level, the share of the parent's right answers
    that is left at its end, if that was measured."""

    source: str
    parameters: int
    points: tuple[Point, ...]
    strength: Mapping[str, Any]
    kept: Mapping[str, float] = field(default_factory=dict)

    @property
    def target(self) -> float:
        """The divergence at which the measured model counts as recovered."""
        return NEAR * self.points[-1][1]

    def tokens_to(self, divergence: float) -> tuple[float, bool]:
        """The tokens after which a divergence was reached, and whether that is extrapolated beyond the measurement, by
        the power law of the second half. Raises `InputError` if the curve no longer falls."""
        tokens, low = self.points[-1]
        if isclose(divergence, low):
            return self._between(low), False
        if any(value <= divergence for _, value in self.points):
            return self._between(divergence), False
        slope = -_slope(self.points[len(self.points) // 2 :])
        if slope < LEAST_SLOPE:
            raise InputError(f"--divergence {divergence:g}: {self.source} ends at {low:.4g} and falls no further")
        return tokens * exp(log(low / divergence) / slope), True

    def _between(self, divergence: float) -> float:
        place = next(number for number, (_, value) in enumerate(self.points) if value <= divergence)
        if not place:
            return self.points[0][0]
        (first, high), (last, low) = self.points[place - 1 : place + 1]
        return exp(log(first) + log(last / first) * log(high / divergence) / log(high / low))


def strength_of(verb: str, recipe: Mapping[str, Any], before: float, after: float) -> Mapping[str, Any]:
    """How strong a compression is, by its recipe, and by the parameters before and after it."""
    if verb == "distil":
        return {"parameters": f"{after / before:.0%}"}
    return {name: recipe[name] for name in STRENGTHS[verb] if recipe[name] is not None}


def find_curve(verb: str, given: Path | None) -> HealingCurve | str:
    """The curve of the given run or record, or of the benchmark's record; or why there is none, in one line.

    Raises `InputError` for a file or folder that holds none.
    """
    if given is not None:
        return _of_run(verb, given) if given.is_dir() else _of_record(verb, given)
    remedy = "--curve RUN takes that of a run of your own"
    name, _ = RECORD_OF[verb]
    file = RECORDS / f"{name}.json"
    if not RECORDS.is_dir():
        return f"the records of benchmarks are in the source tree alone; {remedy}"
    if not file.is_file():
        return f"not measured: benchmarks/results/{name}.json is missing; make bench NAMES={name} makes it; {remedy}"
    return _of_record(verb, file)


def _of_record(verb: str, file: Path) -> HealingCurve:
    name, way = RECORD_OF[verb]
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if record.get("benchmark") != name:
            raise ValueError(f"it is of {record.get('benchmark', 'no benchmark')}, not of {name}")
        curves: dict[str, list[Any]] = record["config"]["curves"]
        runs = [points for key, points in sorted(curves.items()) if key.rpartition("_")[0] == way]
        if not runs:
            raise ValueError(f"it has no curve of {way}")
        points = [
            (float(of_runs[0][0]), exp(sum(log(float(loss)) for _, loss in of_runs) / len(of_runs)))
            for of_runs in zip(*runs, strict=False)
        ]
        changes, first = _of_way(verb, record["config"], way)
        points = [point for point in points if point[0] > MARGIN * first * points[-1][0]] if first else points
        parameters = int(record["config"]["parameters"]["total"])
        source = f"{file.name}: {record['config']['model']} by {way}, {len(runs)} runs"
        kept = _kept(record.get("figures", {}), way)
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else one_line(error)
        raise InputError(f"--curve {file} holds no curve: {reason}") from error
    return HealingCurve(source, parameters, _smooth(points, str(file)), changes, kept)


def _kept(figures: Mapping[str, Any], way: str) -> dict[str, float]:
    """The shares kept by a way that learns, by level."""
    found = {
        level: figures.get(f"{way}_level_{level}_kept") or figures.get(f"{way}_qat_level_{level}_kept")
        for level in ("1", "2", "3")
    }
    return {level: float(figure["median"]) for level, figure in found.items() if figure}


def _of_way(verb: str, config: Mapping[str, Any], way: str) -> tuple[Mapping[str, Any], float]:
    """The strength of a way of a benchmark, and the share of its steps that precede the last change."""
    if verb == "distil":  # its curve begins after its only change, and ends before the student writes
        of_student, of_teacher = (config[key]["total"] for key in ("parameters_student", "parameters"))
        return strength_of(verb, {}, of_teacher, of_student), 0.0
    changes, steps = list(config["ways"][way]), int(config["steps"])
    if verb == "factorise":
        changes.append(f"factorise.keep={config['keep']}")
    section: Any = getattr(load_recipe(verb, changes, SCHEMAS[verb]), verb)
    recipe = section.model_dump(mode="json")
    return strength_of(verb, recipe, 1, 1), _first_step(recipe, steps) / steps


def _of_run(verb: str, folder: Path) -> HealingCurve:
    check_recorded(folder / "model")
    entries = read_lineage(folder / "model")
    if not entries or entries[-1].step != verb:
        was = f"made by {entries[-1].step}" if entries else "not there, or has no lineage"
        raise InputError(f"--curve {folder}: its model is {was}: give the folder of a finished run of {verb}")
    try:
        recipe, figures = entries[-1].recipe[verb], entries[-1].figures
        first, last = _first_step(recipe, recipe["healing"]["steps"]), _last_step(folder, entries[-1].recipe)
        before = figures["parameters_before"]
        strength = strength_of(verb, recipe, before, figures["parameters"])
    except InputError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"--curve {folder}: its lineage has not what this version of Tuili writes: {error}") from error
    points = [
        (float(line["tokens"]), float(line["loss"]))
        for line in read_log(folder)
        if {"tokens", "loss"} <= {*line} and first < line["step"] <= last
    ]
    return HealingCurve(f"the run {folder}", int(before), _smooth(points, str(folder)), strength)


def _first_step(recipe: Mapping[str, Any], steps: int) -> int:
    """The step after which a network was changed for the last time."""
    rounds = int(recipe.get("rounds", 1))
    return stage_steps(rounds - 1, rounds, steps)[0]


def _last_step(folder: Path, recipe: Mapping[str, Any]) -> float:
    """The last step whose loss is the forward divergence from the parent: after it, a student learns from what it
    writes. Raises `InputError` for a student that learnt from something else."""
    if (distil := recipe.get("distil")) is None:
        return inf
    config = DistilConfig.model_validate({name: distil[name] for name in DistilConfig.model_fields if name in distil})
    if config.by != "logits":
        raise InputError(
            f"--curve {folder}: its student learnt by {config.by}, which is no divergence: give another run"
        )
    return config.healing.steps - config.written_steps


def _smooth(points: Sequence[Point], name: str) -> tuple[Point, ...]:
    """The geometric mean of the divergences around each number of tokens; at the end, of the last ones."""
    usable = [(tokens, loss) for tokens, loss in points if tokens > 0 and loss > 0]
    if len(usable) < 2:
        raise InputError(f"--curve {name}: {len(usable)} measured points are no curve: give a run with a longer log")
    half = len(usable) // (2 * WINDOW)
    around = [usable[max(0, place - min(half, place)) : place + min(half, place) + 1] for place in range(len(usable))]
    return tuple(
        (tokens, exp(sum(log(loss) for _, loss in near) / len(near)))
        for (tokens, _), near in zip(usable, around, strict=True)
    )


def _slope(points: Sequence[Point]) -> float:
    """The slope of the line through the logarithms, by least squares."""
    x, y = [log(tokens) for tokens, _ in points], [log(loss) for _, loss in points]
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((value - middle_x) ** 2 for value in x)
    crossed = sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return crossed / spread if spread else 0.0
