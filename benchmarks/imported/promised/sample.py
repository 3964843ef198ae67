"""What one sample of questions supports: promises, whether they hold, and how much of what is asked they cover."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.engine.guarantee import recalibrated
from benchmarks.harness.record import Figure
from benchmarks.imported.promised.answers import Question
from benchmarks.imported.promised.stream import stream_figures
from benchmarks.model.familiarity import familiar, refused
from tuili.engine import Calibration, Engine, Numbers, load_engine
from tuili.eval import (
    AttemptHistory,
    CalibrationGrid,
    candidate_thresholds,
    certify_grid,
    fitting_part,
    replay,
    testing_part,
)
from tuili.store import ImportedModel

STREAM = "asdiv_a"
"""The file whose questions are like those of no sample."""
SHARES = tuple(share / 20 for share in range(1, 21))
"""Of questions answered, for which the picture has points."""
OTHERS = "others"
"""All kinds of other texts together."""


@dataclass(frozen=True)
class Setting:
    """splits: samples that are drawn. orders: those in which the stream comes."""

    grid: CalibrationGrid
    numbers: Numbers
    splits: int
    orders: int
    seed: int


def sample_figures(
    loaded: ImportedModel,
    sample: Sequence[Question],
    others: Sequence[Question],
    kinds: Mapping[str, Sequence[str]],
    setting: Setting,
) -> dict[str, Figure]:
    """The figures of a sample, whose familiarity stands in the model's folder. kinds: other texts, by their kind."""
    engine = load_engine(loaded, numbers=setting.numbers)
    own, strangers = ([one.told(familiar(engine, one.asked.prompt)) for one in part] for part in (sample, others))
    tested = defaultdict[str, list[Question]](list)
    for question in (*testing_part(own), *strangers):
        tested[question.file].append(question)
    calibration = certified(engine, loaded, own, setting.grid)
    figures = promise_figures(histories(own), setting)
    stream = histories(tested[STREAM])
    of_stream = stream_figures(calibration, stream, max(setting.grid.max_steps), setting.orders, setting.seed)
    figures |= {f"{STREAM}_{name}": figure for name, figure in of_stream.items()}
    for file, questions in tested.items():
        for share, risk in risks(calibration, histories(fitting_part(own)), histories(questions), setting.grid):
            figures[f"{file}_risk_at_{share:g}"] = Figure("share", [risk])
    return figures | familiarity_figures(engine, tested, kinds)


def histories(questions: Sequence[Question]) -> list[AttemptHistory]:
    """Those of some questions."""
    return [question.history for question in questions]


def certified(engine: Engine, loaded: ImportedModel, sample: Sequence[Question], grid: CalibrationGrid) -> Calibration:
    """The calibration on all of a sample."""
    told = "".join(f"{one.asked.prompt}\0{one.asked.answer}\n" for one in sample)
    digest = hashlib.sha256(told.encode()).hexdigest()
    return certify_grid(histories(sample), loaded, "a benchmark", digest, grid, engine.scheduler.runner.runtime)


def promise_figures(sample: Sequence[AttemptHistory], setting: Setting) -> dict[str, Figure]:
    """How often promises on samples that are drawn from the questions that test thresholds, and are as large, do not
    hold on these, and what they cover.
    """
    grid, learnt, tested = setting.grid, fitting_part(sample), testing_part(sample)
    (tokens,) = grid.max_tokens
    return {
        f"steps{steps}_error{tolerance:g}_{name}": Figure("share", values)
        for steps in grid.max_steps
        for tolerance, means in recalibrated(
            learnt, tested, grid.tolerances, steps, tokens, grid.delta, len(tested), setting.splits
        ).items()
        for name, values in means.items()
    }


def risks(
    calibration: Calibration,
    learnt: Sequence[AttemptHistory],
    tested: Sequence[AttemptHistory],
    grid: CalibrationGrid,
) -> Iterator[tuple[float, float]]:
    """For each of `SHARES` the share of wrong answers where the most cautious threshold answers so many questions."""
    confidence, (tokens,) = calibration.confidence, grid.max_tokens
    losses = replay(tested, confidence, candidate_thresholds(learnt, confidence), max(grid.max_steps), tokens)
    for share in SHARES:
        enough = (wrong / given for wrong, given in losses.error_counts() if given >= share * len(tested))
        if (risk := next(enough, None)) is not None:
            yield share, risk


def familiarity_figures(
    engine: Engine, files: Mapping[str, Sequence[Question]], kinds: Mapping[str, Sequence[str]]
) -> dict[str, Figure]:
    """Which share is refused as unfamiliar, by file and by kind."""
    found = {kind: [familiar(engine, text) for text in texts] for kind, texts in kinds.items()}
    found[OTHERS] = [one for told in found.values() for one in told]
    found |= {file: [familiar(engine, one.asked.prompt) for one in asked] for file, asked in files.items()}
    return {f"refused_{name}": Figure("share", [refused(told)]) for name, told in found.items()}
