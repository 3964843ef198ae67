"""How a compressed model recovers: the section `healing` of the recipes of this package."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from tuili.posttrain import LearningConfig, LearningRate
from tuili.tasks import SEEDS_PER_SPLIT
from tuili.train import CheckpointConfig, ScheduleConfig


class HealingConfig(LearningConfig):
    """Distilling the parent's predictions into what was made of it."""

    steps: NonNegativeInt = 1000
    """Of all stages together; 0 for no recovery."""
    rows: PositiveInt = 8
    """Rows of a step."""
    length: int | None = Field(None, ge=32)
    """Tokens of a row; none stands for those that the parent was trained with."""
    seed: int = Field(1, ge=0, lt=SEEDS_PER_SPLIT)
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon updates the weights of linear layers, but for the head, and AdamW the rest. At one rate both make
    steps of the same size."""
    learning_rate: LearningRate = 2e-4
    """Near its parent a model has gradients of noise alone, which AdamW turns into steps of full size: a faster rate
    takes away what was left of it."""
    schedule: ScheduleConfig = ScheduleConfig(warmup=50, floor=0.05)
    checkpoint: CheckpointConfig = CheckpointConfig(interval=100)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """In which matrix products run; the weights that learn are in fp32."""
    kernels: Literal["auto", "native", "torch"] = "auto"
    """What computes a model of Tuili's own kind; see the recipe of a training."""
