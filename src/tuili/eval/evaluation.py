"""A complete evaluation of one model: which problems, how deep, how thorough, and the resulting report.

`accuracy`, `depth` and `experts` do the measuring, `reporting.report` defines the form of the report, and
`file_evaluation` handles files of questions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import torch

from tuili.engine import CacheNumbers, Decoder, Depth, DeviceName, Numbers, RunnerName, load_decoder
from tuili.errors import InputError
from tuili.eval.conversations import Compared, answer_conversations, conversation_section
from tuili.eval.depth import depth_point, depth_trends
from tuili.eval.experts import ExpertReport, measure_experts
from tuili.eval.parallel import Job, plan_workers, run_jobs
from tuili.eval.progress import JobProgress, Progress
from tuili.eval.reporting import report
from tuili.eval.runner import ScoredResponse, answer_problems
from tuili.model import LoadedModel
from tuili.store import model_hash
from tuili.tasks import Language, Problem, Split, Wording, unseen_problems

ROUTING_PROBLEMS_PER_DOMAIN = 50
"""The number of validation problems that determine the experts to keep for a domain."""


@dataclass(frozen=True)
class EvalSettings:
    """What to measure: `per_cell` problems for each domain and level from test set number `seed`, in the forms of a
    `wording`; several `languages` alternate.

    `depths` adds the comparison of depths, `full` adds that and the expert tables, `conversations` the same problems in
    conversations. `threshold` is the probability at which a token exits if `depth` is `auto`; None for the model's own.
    `runner`, `device`, `numbers` and `cache` are those of `tuili.engine.load_runner`; the expert tables always use the
    torch runner. Raises `InputError` for contradictory settings.
    """

    domains: Sequence[str]
    levels: Sequence[int] = (1, 2)
    per_cell: int = 200
    seed: int = 0
    wording: str = Wording.SEEN
    languages: Sequence[str] = (Language.EN,)
    depth: Depth = "auto"
    threshold: float | None = None
    depths: bool = False
    full: bool = False
    conversations: bool = False
    runner: RunnerName = "auto"
    device: DeviceName | None = None
    numbers: Numbers = "auto"
    cache: CacheNumbers = "auto"

    @property
    def compares_depths(self) -> bool:
        return self.depths or self.full

    def __post_init__(self) -> None:
        if not (self.domains and self.levels):
            raise InputError("nothing to evaluate: name at least one domain and one level")
        if not self.languages:
            raise InputError("nothing to evaluate: name at least one language")
        if self.per_cell < 1:
            raise InputError(f"per-cell is {self.per_cell}: use 1 problem or more for each domain and level")
        if self.depth != "auto":
            if self.compares_depths:
                raise InputError(f"all depths are compared: leave depth at auto, not {self.depth}")
            if self.threshold is not None:
                raise InputError(f"depth is {self.depth}: a threshold counts only where depth is auto")


def evaluate(loaded: LoadedModel, settings: EvalSettings, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Measure a model on unseen problems; `docs/evaluation.md` documents the fields of the result.

    `progress` is called with a job's name, the number of its finished parts, and their total. Raises `InputError` for
    an unknown domain, level, seed or depth.
    """
    decoder = _decoder(loaded, settings, settings.depth)
    _problems(settings)  # invalid ones are refused before anything is measured
    depths = [*(loaded.model.config.exit_layers if settings.compares_depths else ()), settings.depth]
    jobs: dict[str, Job] = {f"depth {depth}": partial(_answer_at_depth, settings, depth) for depth in depths}
    if settings.full:
        jobs = {"experts": partial(_measure_experts, settings)} | dict(reversed(jobs.items()))  # the longest jobs first
    if settings.conversations:
        jobs = {"conversations": partial(_answer_conversations, settings)} | jobs
    workers = plan_workers(loaded, len(jobs))
    results = run_jobs(loaded, jobs, progress, workers)

    runs: list[DepthRun] = [results[f"depth {depth}"] for depth in depths]
    responses, seconds = runs[-1].responses, runs[-1].seconds
    automatic = settings.depth == "auto"
    document = {
        **report.accuracy_section(responses, seconds),
        "settings": asdict(settings)
        | {"split": str(Split.TEST), "data": None, "threshold": decoder.exit_threshold if automatic else None},
        "model_hash": model_hash(loaded.path),
        "runtime": str(decoder.runtime),
        **report.provenance(**workers._asdict()),
        "samples": report.samples(responses, loaded.tokenizer),
        "depth": report.depth_section(
            [depth_point(depth, run.responses, run.seconds) for depth, run in zip(depths, runs, strict=True)],
            depth_trends(responses) if automatic else [],
        ),
    }
    if settings.conversations:
        compared, left_out = results["conversations"]
        document["conversations"] = conversation_section(compared, left_out, loaded.model.config.conversation)
    return document | ({"experts": report.expert_section(results["experts"])} if settings.full else {})


class DepthRun(NamedTuple):
    """The responses to all problems at one depth, and their wall-clock time in seconds."""

    responses: list[ScoredResponse]
    seconds: float


def _decoder(loaded: LoadedModel, settings: EvalSettings, depth: Depth) -> Decoder:
    return load_decoder(
        loaded,
        depth,
        settings.threshold,
        runner=settings.runner,
        device=settings.device,
        numbers=settings.numbers,
        cache=settings.cache,
        threads=torch.get_num_threads(),  # the process's share of the cores
    )


def _problems(settings: EvalSettings) -> list[Problem]:
    return _unseen(settings, settings.levels, settings.per_cell, Split.TEST)


def _unseen(settings: EvalSettings, levels: Sequence[int], per_cell: int, split: Split) -> list[Problem]:
    cells, languages = (settings.domains, levels, per_cell, settings.seed), tuple(settings.languages)
    return unseen_problems(*cells, split, wording=settings.wording, language=languages)


def _answer_at_depth(settings: EvalSettings, depth: Depth, loaded: LoadedModel, progress: JobProgress) -> DepthRun:
    problems, started = _problems(settings), time.perf_counter()
    responses = answer_problems(_decoder(loaded, settings, depth), problems, progress)
    return DepthRun(responses, time.perf_counter() - started)


def _answer_conversations(
    settings: EvalSettings, loaded: LoadedModel, progress: JobProgress
) -> tuple[list[Compared], int]:
    decoder = _decoder(loaded, settings, settings.depth)
    return answer_conversations(decoder, _problems(settings), settings.wording, progress)


def _measure_experts(settings: EvalSettings, loaded: LoadedModel, progress: JobProgress) -> ExpertReport:
    level = min(settings.levels)
    return measure_experts(
        loaded.model,
        load_decoder(loaded, max(loaded.model.config.exit_layers), runner="torch"),  # the other one cannot omit experts
        [problem for problem in _problems(settings) if problem.level == level],
        _unseen(settings, [level], ROUTING_PROBLEMS_PER_DOMAIN, Split.VALIDATION),
        progress=progress,
    )
