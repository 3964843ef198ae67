"""How a compressed model recovers: the section `healing` of the recipes of this package."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from tuili.posttrain import LearningConfig, LearningRate
from tuili.tasks import SEEDS_PER_SPLIT
from tuili.train import CheckpointConfig, ScheduleConfig


class HealingConfig(LearningConfig):
    """Distillation of the parent's predictions into the changed model."""

    steps: NonNegativeInt = 1000
    """For all stages together; 0 for no recovery."""
    rows: PositiveInt = 8
    """Rows per step."""
    length: int | None = Field(None, ge=32)
    """Tokens of a row; none means as many as in the parent's training."""
    seed: int = Field(1, ge=0, lt=SEEDS_PER_SPLIT)
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon updates the weights of linear layers except the head, and AdamW the rest. At the same learning rate
    both make steps of the same size."""
    learning_rate: LearningRate = 2e-4
    """Near its parent a model's gradients are only noise, which AdamW turns into full-size steps: a higher rate would
    destroy what was left of it."""
    schedule: ScheduleConfig = ScheduleConfig(warmup=50, floor=0.05)
    checkpoint: CheckpointConfig = CheckpointConfig(interval=100)
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """The precision of matrix products; the trained weights are in fp32."""
    kernels: Literal["auto", "native", "torch"] = "auto"
    """What computes a model of Tuili's own kind; see the training recipe."""
