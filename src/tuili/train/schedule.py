"""Learning-rate schedules, as fractions of the peak: linear warm-up, then decay along half a cosine or a line.

`rate_scale` is for training a model, `warmup_cosine` for training smaller networks.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from tuili.config import Config


class ScheduleConfig(Config):
    """The learning rate over time."""

    warmup: NonNegativeInt = 100
    """Steps until the peak rate is reached, or a tenth of the run's steps if that is less."""
    decay: Literal["cosine", "linear"] = "cosine"
    floor: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The fraction of the peak rate at the last step."""


def rate_scale(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """The fraction of the peak rate for step `step` (from 0) of `steps`."""
    warmup = min(schedule.warmup, steps // 10)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    left = 1 - progress if schedule.decay == "linear" else _half_cosine(progress)
    return schedule.floor + (1 - schedule.floor) * left


def warmup_cosine(progress: float, warmup: float) -> float:
    """The fraction of the peak rate at `progress` in (0, 1]: it rises until `warmup`, then falls to 0 at the end."""
    if progress < warmup:
        return progress / warmup
    return _half_cosine(progress - warmup, 1 - warmup)


def _half_cosine(done: float, total: float = 1.0) -> float:
    """From 1 at the start to 0 when `done` reaches `total`."""
    return (1 + math.cos(math.pi * done / total)) / 2
