"""A complete evaluation of one model on a file of questions, and the resulting report.

The model, Tuili's own or an imported one, is asked as a server asks it. `evaluation` handles generated problems,
`reporting.report` defines the form of the report.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tuili.data import QuestionForm, masked_question
from tuili.engine import (
    Budget,
    CacheNumbers,
    Depth,
    DeviceName,
    Numbers,
    Request,
    RunnerName,
    default_calculator,
    helpful_threads,
    load_engine,
)
from tuili.errors import InputError
from tuili.eval.accuracy import accuracy, wilson_interval
from tuili.eval.asking import AskedResponse, ask_problems
from tuili.eval.comparing import Comparison
from tuili.eval.depth import depth_point, depth_trends
from tuili.eval.dice import ALIKE, likeness
from tuili.eval.own import OwnProblem, own_problems, questions_of
from tuili.eval.progress import Progress
from tuili.eval.reporting import report
from tuili.files import file_hash
from tuili.steps import CalculatorMode
from tuili.store import model_hash, open_model

SLOTS = 16
"""The number of questions answered at once."""
_REPLACED = ("domains", "levels", "per_cell", "seed", "split", "wording", "languages")
"""Settings for generated problems; a file replaces these problems."""


@dataclass(frozen=True)
class FileSettings:
    """What to measure: the questions of a file, each within a budget.

    seen: files of questions that the model was trained on; the accuracy without these, ignoring numbers, is reported as
    well. all_attempts: make every attempt of the budget, so that they vote. calculator: whether the checker writes
    values into steps; None for the way the model was taught. threshold: the probability at which a token exits if
    `depth` is `auto`; None for the model's own. runner, device, numbers, cache: as in `tuili.engine.load_runner`.

    Raises `InputError` for contradictory settings.
    """

    data: Path
    form: Literal["auto"] | QuestionForm = "auto"
    seen: Sequence[Path] = ()
    budget: Budget = field(default_factory=Budget)
    all_attempts: bool = False
    calculator: CalculatorMode | None = None
    depth: Depth = "auto"
    threshold: float | None = None
    runner: RunnerName = "auto"
    device: DeviceName | None = None
    numbers: Numbers = "auto"
    cache: CacheNumbers = "auto"

    def __post_init__(self) -> None:
        if self.depth != "auto" and self.threshold is not None:
            raise InputError(f"depth is {self.depth}: a threshold counts only where depth is auto")
        if self.all_attempts and self.budget.max_steps == 1:
            raise InputError("all attempts are asked for, and the budget has one: give max_attempts = 2 or more")


def evaluate_file(
    model: str | Path, settings: FileSettings, progress: Progress = lambda *_: None
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Measure a model on a file; `docs/evaluation.md` documents the fields of the report.

    Returns the report and the model's exit layers. `progress` is called with the name of the file, the number of
    answered questions, and their total. Raises `RecordError` for a bad file, `InputError` for an unknown depth.
    """
    source = open_model(model)
    problems = own_problems(settings.data, source.tokenizer, source.shape.max_position_embeddings, settings.form)
    seen = questions_of(settings.seen)
    described = _described(settings)  # describes the files as read: they may change while the model answers
    comparison = Comparison.of_model(source.path, source.tokenizer)
    engine = load_engine(
        source,
        exit_threshold=settings.threshold,
        slots=SLOTS,
        waiting=len(problems) + 1,
        runner=settings.runner,
        device=settings.device,
        numbers=settings.numbers,
        cache=settings.cache,
    )
    started = time.perf_counter()
    told, asked = partial(progress, settings.data.name), partial(_request, settings)
    responses = ask_problems(engine, problems, asked, comparison, settings.all_attempts, told)
    seconds = time.perf_counter() - started
    exits, runtime = engine.exits, engine.scheduler.runner.runtime
    automatic = settings.depth == "auto"
    trends = depth_trends(responses) if automatic and len(exits) > 1 else []
    threshold = engine.scheduler.runner.exit_threshold if settings.threshold is None else settings.threshold
    document = {
        **report.accuracy_section(responses, seconds),
        "compared": str(comparison),
        "sources": by_source(responses),
        "calculator": settings.calculator or default_calculator(source.path),
        "steps": dict(Counter(str(status) for one in responses for status in one.statuses)),
        "written_by": dict(Counter(step.written_by for one in responses for step in one.given.steps)),
        "attempts": sum(len(one.state.attempts) for one in responses),
        "settings": described | {"threshold": threshold if automatic else None},
        "model_hash": model_hash(source.path),
        "runtime": str(runtime),
        **report.provenance(threads=helpful_threads(source.shape)),
        "samples": report.samples(responses, source.tokenizer),
        "depth": report.depth_section([depth_point(settings.depth, responses, seconds)], trends),
    }
    if settings.budget.max_steps > 1:
        document["by_attempts"] = by_attempts(responses, settings.budget.max_steps)
    if settings.seen:
        document |= {"unmatched": unmatched(responses, seen), "unlike": unlike(responses, seen)}
    return document, exits


def by_attempts(responses: Sequence[AskedResponse], most: int) -> dict[str, float]:
    """The accuracy of the best answers after 1, 2, … attempts, or after as many as were made."""
    count = len(responses)
    return {str(made): sum(one.right_after(made) for one in responses) / count for made in range(1, most + 1)}


def unmatched(responses: Sequence[AskedResponse], seen: Sequence[str]) -> dict[str, Any]:
    """The accuracy over the questions that differ from all seen ones, ignoring numbers; None if there are none."""
    masked = set(map(masked_question, seen))
    return _figures([one for one in responses if masked_question(one.problem.prompt) not in masked])


def unlike(responses: Sequence[AskedResponse], seen: Sequence[str]) -> dict[str, Any]:
    """The accuracy over the questions whose words are unlike those of any seen one, see `likeness`; None if there are
    none."""
    alike = likeness([one.problem.prompt for one in responses], seen)
    return _figures([one for one, share in zip(responses, alike, strict=True) if share < ALIKE])


def by_source(responses: Sequence[AskedResponse]) -> dict[str, dict[str, Any]]:
    """The accuracy over the questions of each source, in order of appearance."""
    grouped: dict[str, list[AskedResponse]] = {}
    for one in responses:
        grouped.setdefault(one.problem.source, []).append(one)
    return {source: _figures(group) for source, group in grouped.items()}


def _figures(responses: Sequence[AskedResponse]) -> dict[str, Any]:
    right, count = sum(one.correct for one in responses), len(responses)
    return {
        "problems": count,
        "accuracy": accuracy(responses) if responses else None,
        "ci95": wilson_interval(right, count),
    }


def _request(settings: FileSettings, problem: OwnProblem) -> Request:
    return Request(
        problem.prompt, settings.budget, depth=settings.depth, earlier=problem.earlier, calculator=settings.calculator
    )


def _described(settings: FileSettings) -> dict[str, Any]:
    """The settings as stored in a report: files by their names and hashes, the budget by its limits."""
    described: dict[str, Any] = asdict(settings)
    budget: dict[str, Any] = described.pop("budget").model_dump()
    files = {"data": _file(settings.data), "seen": [_file(path) for path in settings.seen]}
    return dict.fromkeys(_REPLACED) | described | budget | files


def _file(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": file_hash(path)}
