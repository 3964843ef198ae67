"""What a run is going to do, and about how long each stage takes on this machine.

The machine's speed comes from `pace`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tuili.adapt.measuring import MAX_TOKENS
from tuili.adapt.options import AdaptOptions
from tuili.adapt.teaching import Teacher
from tuili.data import Record

_MARGIN = 1.3
"""Tokens of an answer against those of the right one: a model writes some that are longer."""
_PROSE = 0.6
"""The share of its tokens that an untaught model takes."""


@dataclass(frozen=True)
class PlannedStage:
    """A stage, what it does in words, and its seconds, if all goes well."""

    name: str
    does: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The stages that are to come, the steps of teaching, and how often these read the questions."""

    stages: tuple[PlannedStage, ...]
    steps: int
    passes: float

    @property
    def seconds(self) -> float:
        """Of all stages."""
        return sum(stage.seconds for stage in self.stages)


def make_plan(
    options: AdaptOptions,
    teacher: Teacher,
    pace: Mapping[str, Any],
    learnt: Sequence[Record],
    counts: Mapping[str, int],
) -> Plan:
    """The plan of a run.

    Args:
        learnt: what is taught, with all variants.
        counts: the questions of each part.
    """
    passes = options.passes or teacher.passes
    wanted = teacher.steps_for(learnt, passes)
    affordable = int((60 * options.minutes - pace["teaching_overhead"]) / max(pace["step_seconds"], 1e-6))
    steps = max(1, min(wanted, affordable))
    share = passes * steps / wanted
    tokens = _MARGIN * fmean(map(teacher.tokens_of, learnt))
    rate, loading = pace["tokens_per_second"], pace["loading"]
    teaching = pace["teaching_overhead"] + steps * pace["step_seconds"]
    cut = "" if steps == wanted else f", as {options.minutes:g} minutes allow"
    read = f"{len(learnt):,} questions {share:.1f} times, {steps:,} steps of {teacher.step_tokens:,} tokens{cut}"
    tested = counts["test"]
    stages = [
        PlannedStage(
            "before", f"ask the model the {tested} test questions", loading + tested * _PROSE * MAX_TOKENS / rate
        ),
        PlannedStage("teach", f"learn {read}", teaching),
        PlannedStage("after", f"ask the taught model the {tested} test questions", loading + tested * tokens / rate),
    ]
    return Plan(tuple(stages), steps, share)
