"""A whole evaluation of one model: which problems, how deep, how thorough, and the report that comes out.

The measuring itself is left to `accuracy`, `depth` and `experts`, the form of the report to `report`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

from tuili.engine import Decoder, Depth, load_decoder
from tuili.errors import InputError
from tuili.eval.depth import depth_against_level, depth_point
from tuili.eval.experts import ExpertReport, expert_report
from tuili.eval.parallel import Measurement, Progress, Told, measure, share_cores
from tuili.eval.reporting import report
from tuili.eval.runner import Trial, run, unseen_problems
from tuili.model import LoadedModel
from tuili.store import model_hash
from tuili.tasks import Problem, Split

ROUTING_PROBLEMS = 50
"""Problems a domain of the validation split that choose the experts to keep."""


@dataclass(frozen=True)
class EvalSettings:
    """What to measure. `depths` adds the comparison of depths, `full` that and the expert tables."""

    domains: Sequence[str]
    levels: Sequence[int] = (1, 2)
    per_cell: int = 200
    seed: int = 0
    depth: Depth = "auto"
    threshold: float | None = None
    depths: bool = False
    full: bool = False

    @property
    def compares_depths(self) -> bool:
        return self.depths or self.full

    def __post_init__(self) -> None:
        if not self.domains or not self.levels:
            raise InputError("nothing to evaluate: name at least one domain and one level")
        if self.per_cell < 1:
            raise InputError(f"per-cell is {self.per_cell}: use 1 problem or more for each domain and level")
        if self.depth != "auto":
            if self.compares_depths:
                raise InputError(f"all depths are compared: leave depth at auto, not {self.depth}")
            if self.threshold is not None:
                raise InputError(f"depth is {self.depth}: a threshold counts only where depth is auto")


def evaluate(loaded: LoadedModel, settings: EvalSettings, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Measure a model on unseen problems; the fields of the result are documented in `docs/evaluation.md`.

    Raises `InputError` for an unknown domain, level, seed or depth.
    """
    chosen = _decoder(loaded, settings, settings.depth)
    _problems(settings)  # refused before anything is measured
    depths = [*(loaded.model.config.exit_layers if settings.compares_depths else ()), settings.depth]
    wanted: dict[str, Measurement] = {f"depth {depth}": partial(_answers, settings, depth) for depth in depths}
    if settings.full:
        wanted = {"experts": partial(_experts, settings)} | dict(reversed(wanted.items()))  # the longest ones first
    sharing = share_cores(loaded, len(wanted))
    found = measure(loaded, wanted, progress, sharing)

    answers: list[Answers] = [found[f"depth {depth}"] for depth in depths]
    trials, seconds = answers[-1].trials, answers[-1].seconds
    automatic = settings.depth == "auto"
    result = {
        **report.accuracy_report(trials, seconds),
        "settings": {
            **asdict(settings),
            "threshold": chosen.exit_threshold if automatic else None,
            "split": str(Split.TEST),
        },
        "model_hash": model_hash(loaded.path),
        **report.provenance(**sharing._asdict()),
        "samples": report.samples(trials, loaded.tokenizer),
        "depth": report.depth_report(
            [depth_point(depth, own.trials, own.seconds) for depth, own in zip(depths, answers, strict=True)],
            depth_against_level(trials) if automatic else [],
        ),
    }
    return result | ({"experts": report.expert_report_json(found["experts"])} if settings.full else {})


class Answers(NamedTuple):
    """Every problem answered at one depth, and the wall-clock time that it took."""

    trials: list[Trial]
    seconds: float


def _decoder(loaded: LoadedModel, settings: EvalSettings, depth: Depth, **options: Any) -> Decoder:
    return load_decoder(loaded.model, loaded.tokenizer, depth=depth, exit_threshold=settings.threshold, **options)


def _problems(settings: EvalSettings) -> list[Problem]:
    return unseen_problems(settings.domains, settings.levels, settings.per_cell, settings.seed)


def _answers(settings: EvalSettings, depth: Depth, loaded: LoadedModel, told: Told) -> Answers:
    problems, started = _problems(settings), time.perf_counter()
    trials = run(_decoder(loaded, settings, depth), problems, told)
    return Answers(trials, time.perf_counter() - started)


def _experts(settings: EvalSettings, loaded: LoadedModel, told: Told) -> ExpertReport:
    level = min(settings.levels)
    return expert_report(
        loaded.model,
        _decoder(loaded, settings, max(loaded.model.config.exit_layers)),
        [problem for problem in _problems(settings) if problem.level == level],
        unseen_problems(settings.domains, [level], ROUTING_PROBLEMS, settings.seed, Split.VALIDATION),
        progress=told,
    )
