"""What a run is going to do, and about how long each stage takes on this machine.

The machine's speed comes from `pace`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tuili.adapt.options import AdaptOptions
from tuili.adapt.teaching import Teacher
from tuili.adapt.trust import EXIT_TOKENS, VerifierSize
from tuili.data import Record
from tuili.errors import InputError

LEAST_PASSES = 0.1
"""The fewest times that the questions must be read: less teaches nothing."""
_MARGIN = 1.3
"""Tokens of an answer relative to the right one: a model writes some longer answers."""
_EXIT_SHARE = 1.5
"""The time per token for learning exits, at each exit, relative to teaching."""
_READING = 3
"""How much faster a token is read than taught."""
_FIT_STEP = 0.05
"""Seconds per step of a verifier's training; there are two trainings and a trial."""


@dataclass(frozen=True)
class PlannedStage:
    """A stage, what it does in words, and its seconds if all goes well."""

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
        """The seconds of all stages."""
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
        counts: the questions of each part, and those that are `judged` by a verifier.
    Raises `InputError` if the minutes are too few to teach anything.
    """
    passes = options.passes or teacher.passes
    wanted = teacher.steps_for(learnt, passes)
    affordable = int((60 * options.minutes - pace["teaching_overhead"]) / max(pace["step_seconds"], 1e-6))
    least = max(1, math.ceil(LEAST_PASSES * wanted / passes))
    if affordable < least:
        needed = (pace["teaching_overhead"] + least * pace["step_seconds"]) / 60
        raise InputError(
            f"--minutes {options.minutes:g}: reading a tenth of the questions once takes {needed:.2g} minutes of "
            f"teaching here: give {math.ceil(needed)} or more, and another --out"
        )
    steps = min(wanted, affordable)
    share = passes * steps / wanted
    tokens = _MARGIN * fmean(map(teacher.response_tokens, learnt))
    read = fmean(map(teacher.tokens_of, learnt))
    rate, loading = pace["tokens_per_second"], pace["loading"]
    teaching = pace["teaching_overhead"] + steps * pace["step_seconds"]
    cut = "" if steps == wanted else f", as {options.minutes:g} minutes allow"
    does = f"learn {len(learnt):,} questions {share:.1f} times, {steps:,} steps of {teacher.step_tokens:,} tokens{cut}"
    tested, untaught = counts["test"], pace["untaught_tokens"]
    attempts = max(options.attempts)
    stages = [
        PlannedStage("before", f"ask the model the {tested} test questions", loading + tested * untaught / rate),
        PlannedStage("teach", does, teaching),
    ]
    token = pace["step_seconds"] / teacher.step_tokens
    if options.exits:
        depths = ", ".join(map(str, options.exits))
        seconds = _EXIT_SHARE * token * EXIT_TOKENS * (1 + len(options.exits))
        stages.append(PlannedStage("exits", f"train exits at {depths}, the layers staying as they are", seconds))
    if options.verifier:
        size = VerifierSize(counts["judged"])
        states = 1.5 * size.chains * read * token / _READING
        seconds = size.written * tokens / rate + states + 3 * _FIT_STEP * size.steps
        does = f"train a verifier on {counts['judged']:,} questions, which the model answers {size.written:,} times"
        stages.append(PlannedStage("verifier", does, seconds))
    asked = counts["calibrate"] * attempts * tokens / rate
    does = f"ask {counts['calibrate']} questions in {attempts} attempts, to tell what can be promised"
    stages.append(PlannedStage("calibrate", does, loading + asked + teacher.recall_seconds))
    several = teacher.calculator != "forced"
    how = f"once,{f' in {attempts} attempts,' if several else ''} within promises"
    does = f"ask the taught model the {tested} test questions: {how}"
    asked = tested * (1 + (1 + several) * attempts)
    stages.append(PlannedStage("after", does, loading + asked * tokens / rate))
    return Plan(tuple(stages), steps, share)
