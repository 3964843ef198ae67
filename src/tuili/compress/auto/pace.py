"""How fast this machine makes and measures candidates: a few steps of each way, and a few answers of the parent."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuili.compress.auto.making import way_of
from tuili.compress.auto.space import Candidate
from tuili.compress.parent import Tell
from tuili.compress.plan import make_plan, tried_plan
from tuili.eval import right_answers
from tuili.tasks import Problem

TRIED_ANSWERS = 8
TRIED_STEPS = 10
"""That a plan is made for; what is tried of them is up to `tuili.compress.plan`."""
MARGIN = 1.3
"""Of the measured time, what steps are taken to need, with changes, checkpoints and writing."""


@dataclass(frozen=True)
class Pace:
    """step: seconds of a step of recovery. model: seconds of measuring a model."""

    step: float
    model: float

    def steps_in(self, seconds: float, models: int) -> int:
        """The steps that there is time for beside the measuring of so many models."""
        return int((seconds - models * self.model) / (MARGIN * self.step))

    def seconds_for(self, steps: int, models: int) -> float:
        """The time that both take."""
        return MARGIN * steps * self.step + models * self.model


def measure_pace(
    model: Path, tried: Iterable[Candidate], file: Path | None, changes: Sequence[str],
    problems: Sequence[Problem], tell: Tell,
) -> Pace:  # fmt: skip
    """The slowest of all ways among the candidates counts. Nothing is written. file: what candidates recover with."""
    steps = {step.verb: step for one in tried for step in one.chain}
    slowest = 0.0
    for step in steps.values():
        way, healing = way_of(step, model, TRIED_STEPS, changes)
        data = way.parent.data(file, lambda line: None)
        tried_steps = tried_plan(make_plan(way, healing, data), way, healing, data, tell)
        slowest = max(slowest, tried_steps.seconds / TRIED_STEPS)
    return Pace(slowest, _measuring_seconds(model, problems))


def _measuring_seconds(model: Path, problems: Sequence[Problem]) -> float:
    count = min(TRIED_ANSWERS, len(problems))
    some = [problems[number * len(problems) // count] for number in range(count)]
    begun = time.perf_counter()
    right_answers(model, some)
    return (time.perf_counter() - begun) * len(problems) / count
