"""The schema of a training recipe: every choice that a run depends on, checked before anything is built.

The sections that belong to a component stand in its file. How files and overrides become one recipe is left
to `tuili.config`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from tuili.config import Config
from tuili.data.tokenizer import SMALLEST_VOCABULARY, VOCABULARY
from tuili.tasks import LEVELS, domains
from tuili.tasks.problem import SEEDS_PER_SPLIT
from tuili.train.checkpoint import CheckpointConfig
from tuili.train.curriculum import CurriculumConfig
from tuili.train.log import LogConfig
from tuili.train.objective import ObjectiveConfig
from tuili.train.optim import OptimizerConfig
from tuili.train.schedule import ScheduleConfig

FITTED = ("vocab_size", "pad_token_id", "bos_token_id", "eos_token_id", "separator_token_ids", "domains")
"""Fields of the model's configuration that a run fills in."""


class ModelConfig(Config):
    """A named size, the fields of its configuration that differ, and the weights to start from."""

    preset: str = "nano"
    start: str | None = None
    """A model of that size whose weights and tokenizer are taken: a folder, a hub name or a shipped name."""
    overrides: dict[str, Any] = Field({})

    @field_validator("overrides")
    @classmethod
    def _not_fitted(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        fault = PydanticCustomError("fitted", "follows from the tokenizer or the list of tasks: leave it out")
        fitted = [
            InitErrorDetails(type=fault, loc=(name,), input=overrides[name]) for name in FITTED if name in overrides
        ]
        if fitted:
            raise ValidationError.from_exception_data(cls.__name__, fitted)
        return overrides


class DataConfig(Config):
    """What the model reads."""

    domains: Literal["all"] | tuple[str, ...] = "all"
    levels: tuple[NonNegativeFloat, ...] = (0.4, 0.3, 0.15, 0.1, 0.05)
    """Weights of levels 1, 2, … among the problems of each domain."""
    files: dict[Path, PositiveFloat] = Field({})
    """JSONL files of your own, each with its weight against 1 for all domains together."""
    vocabulary: int = Field(VOCABULARY, ge=SMALLEST_VOCABULARY)
    """Most entries of the tokenizer, which is learnt from this data before training starts, or comes with a model."""

    @property
    def domain_names(self) -> tuple[str, ...]:
        """The chosen domains in the order of their experts."""
        return tuple(name for name in domains() if self.domains == "all" or name in self.domains)

    @field_validator("domains")
    @classmethod
    def _known(cls, chosen: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        if chosen != "all" and (unknown := set(chosen) - set(domains())):
            raise ValueError(f"unknown domain {min(unknown)!r}: use all, or some of {', '.join(domains())}")
        return chosen

    @field_validator("levels")
    @classmethod
    def _some_level(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if len(levels) > len(LEVELS) or not any(levels):
            raise ValueError(f"give a weight for each level from 1 to at most {LEVELS[-1]}, one of them above 0")
        return levels

    @model_validator(mode="after")
    def _something(self) -> DataConfig:
        if not self.domains and not self.files:
            raise ValueError("there is nothing to learn from: name domains or files")
        return self


class TrainConfig(Config):
    """How long, how much at once, and on what."""

    steps: PositiveInt = 1000
    seed: int = Field(1, ge=0, lt=SEEDS_PER_SPLIT)
    rows: PositiveInt = 8
    """Rows of a block."""
    length: int = Field(512, ge=32)
    """Tokens of a row."""
    accumulation: PositiveInt = 1
    """Blocks whose gradients are averaged for one step; each weighs the same, however many tokens it has."""
    replicas: Literal["auto"] | PositiveInt = "auto"
    """Processes among which the blocks of a step are divided; `auto` is as many as cores allow, on a GPU one."""
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` times both on the first block and takes the faster one."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Run chains of small operations compiled; `auto` does where a C++ compiler, or on a GPU Triton, is at hand."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is a GPU where there is one."""

    @model_validator(mode="after")
    def _divisible(self) -> TrainConfig:
        if self.replicas != "auto" and self.accumulation % self.replicas:
            raise ValueError(f"replicas = {self.replicas} does not divide accumulation = {self.accumulation} evenly")
        return self


class Recipe(Config):
    """A whole training run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()
