"""A whole evaluation of one model: which problems, how deep, how thorough, and the report that comes out.

The measuring itself is left to `accuracy`, `depth` and `experts`, the form of the report to `report`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuili.engine.decode import Decoder, Depth
from tuili.errors import InputError
from tuili.eval import report
from tuili.eval.depth import by_depth, depth_against_level, depth_point
from tuili.eval.experts import expert_report
from tuili.eval.runner import run, unseen_problems
from tuili.model.folder import LoadedModel
from tuili.model.lineage import model_hash
from tuili.tasks import Split

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts of it are finished, and how many there are."""

ROUTING_PROBLEMS = 50
"""Problems a domain of the validation split that choose the experts to keep."""


@dataclass(frozen=True)
class EvalSettings:
    """What to measure. `full` adds the comparison of depths and the expert tables."""

    domains: Sequence[str]
    levels: Sequence[int] = (1, 2)
    per_cell: int = 200
    seed: int = 0
    depth: Depth = "auto"
    threshold: float | None = None
    full: bool = False

    def __post_init__(self) -> None:
        if not self.domains or not self.levels:
            raise InputError("nothing to evaluate: name at least one domain and one level")
        if self.per_cell < 1:
            raise InputError(f"per-cell is {self.per_cell}: use 1 problem or more for each domain and level")
        if self.depth != "auto":
            if self.full:
                raise InputError(f"a full evaluation compares all depths: leave depth at auto, not {self.depth}")
            if self.threshold is not None:
                raise InputError(f"depth is {self.depth}: a threshold counts only where depth is auto")


def evaluate(loaded: LoadedModel, settings: EvalSettings, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Measure a model on unseen problems; the fields of the result are documented in `docs/evaluation.md`.

    Raises `InputError` for an unknown domain, level, seed or depth.
    """

    def decoder(depth: Depth, **options: Any) -> Decoder:
        return Decoder(loaded.model, loaded.tokenizer, depth=depth, threshold=settings.threshold, **options)

    def told(what: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(what, done, total)

    problems = unseen_problems(settings.domains, settings.levels, settings.per_cell, settings.seed)
    started = time.perf_counter()
    chosen = decoder(settings.depth)
    threshold = chosen.threshold if settings.depth == "auto" else None
    trials = run(chosen, problems, told(f"depth {settings.depth}"))
    seconds = time.perf_counter() - started
    result = {
        **report.accuracy_report(trials, seconds),
        "settings": {**asdict(settings), "threshold": threshold, "split": str(Split.TEST)},
        "model_hash": model_hash(loaded.path),
        **report.provenance(),
        "samples": report.samples(trials, loaded.tokenizer),
    }
    points = [depth_point(settings.depth, trials, seconds)]
    if settings.full:
        exits = loaded.model.config.exit_layers
        points = by_depth(decoder, problems, exits, lambda depth: told(f"depth {depth}")) + points
    trends = depth_against_level(trials) if settings.depth == "auto" else []
    result["depth"] = report.depth_report(points, trends)
    if settings.full:
        level = [min(settings.levels)]
        experts = expert_report(
            loaded.model,
            decoder(max(exits), keep_rows=1.0),
            [problem for problem in problems if problem.level in level],
            unseen_problems(settings.domains, level, ROUTING_PROBLEMS, settings.seed, Split.VALIDATION),
            progress=told("experts"),
        )
        result["experts"] = report.expert_report_json(experts)
    return result
