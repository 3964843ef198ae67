"""The learning rate as a fraction of its peak: linear warm-up, then cosine or linear decay to a floor."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from tuili.config import Config


class ScheduleConfig(Config):
    """The learning rate over time."""

    warmup: NonNegativeInt = 100
    """Steps until the full rate is reached; in a short run a tenth of its steps, if that is less."""
    decay: Literal["cosine", "linear"] = "cosine"
    floor: Annotated[float, Field(ge=0, le=1)] = 0.1
    """What is left of the rate at the last step."""


def rate_scale(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """The factor for step `step` (from 0) of `steps`."""
    warmup = min(schedule.warmup, steps // 10)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    left = 1 - progress if schedule.decay == "linear" else (1 + math.cos(math.pi * progress)) / 2
    return schedule.floor + (1 - schedule.floor) * left
