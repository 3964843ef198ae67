"""The schema of a training recipe: every choice that a run depends on, checked before anything is built.

The sections that belong to a component stand in its file. How files and overrides become one recipe is left
to `tuili.config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from os.path import realpath
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
from tuili.data import MIN_VOCABULARY_SIZE, VOCABULARY_SIZE
from tuili.errors import ConfigError
from tuili.model import TuiliConfig, preset
from tuili.tasks import LEVELS, SEEDS_PER_SPLIT, domain_names
from tuili.train.checkpoint import CheckpointConfig
from tuili.train.curriculum import CurriculumConfig
from tuili.train.log import LogConfig
from tuili.train.objective import ObjectiveConfig
from tuili.train.optim import OptimizerConfig
from tuili.train.schedule import ScheduleConfig

FITTED_FIELDS = (
    "vocab_size",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "separator_token_ids",
    "num_experts",
    "domains",
)
"""Fields of the model's configuration that follow from the tokenizer and the list of tasks."""


def _refusal(size: str, overrides: Mapping[str, Any]) -> str | None:
    """Why a size does not take these overrides; None if it does."""
    try:
        preset(size, **overrides)
    except ConfigError as error:
        return str(error).removeprefix(f"size {size!r} with {overrides}: ")
    return None


def _fault(key: tuple[str, ...], value: Any, reason: str) -> ValidationError:
    """An error at a key below the section that is being validated."""
    error = PydanticCustomError("misfit", "{reason}", {"reason": reason})
    return ValidationError.from_exception_data("recipe", [InitErrorDetails(type=error, loc=key, input=value)])


class ModelConfig(Config):
    """A named size, the fields of its configuration that differ, and the weights to start from."""

    preset: str = "nano"
    start: str | None = None
    """A model of that size whose weights and tokenizer are taken: a folder, a hub name or a shipped name."""
    overrides: dict[str, Any] = Field({})

    def configuration(self, **fitted: Any) -> TuiliConfig:
        """The configuration of the model, with these fields filled in."""
        return preset(self.preset, **self.overrides | fitted)

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        preset(name)
        return name

    @field_validator("overrides")
    @classmethod
    def _not_fitted(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for name in FITTED_FIELDS:
            if name in overrides:
                raise _fault((name,), overrides[name], "follows from the tokenizer or the list of tasks: leave it out")
        return overrides

    @model_validator(mode="after")
    def _possible(self) -> ModelConfig:
        """Raises an error that names the first override which the size does not take together with those before it."""
        if _refusal(self.preset, self.overrides):
            for count, (name, value) in enumerate(self.overrides.items(), start=1):
                if reason := _refusal(self.preset, dict(islice(self.overrides.items(), count))):
                    raise _fault(("overrides", name), value, reason)
        return self


class DataConfig(Config):
    """What the model reads."""

    domains: Literal["all"] | tuple[str, ...] = "all"
    levels: tuple[NonNegativeFloat, ...] = (0.4, 0.3, 0.15, 0.1, 0.05)
    """Weights of levels 1, 2, … among the problems of each domain."""
    files: dict[Path, PositiveFloat] = Field({})
    """JSONL files of your own, each with its weight against 1 for all domains together."""
    vocabulary: int = Field(VOCABULARY_SIZE, ge=MIN_VOCABULARY_SIZE)
    """Most entries of the tokenizer. It is learnt from this data before training starts, or comes with a model."""

    @property
    def domain_names(self) -> tuple[str, ...]:
        """The chosen domains in the order of their experts."""
        return tuple(name for name in domain_names() if self.domains == "all" or name in self.domains)

    @field_validator("domains")
    @classmethod
    def _known(cls, chosen: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        if chosen != "all" and (unknown := set(chosen) - set(domain_names())):
            raise ValueError(f"unknown domain {min(unknown)!r}: use all, or some of {', '.join(domain_names())}")
        return chosen

    @field_validator("files", mode="before")
    @classmethod
    def _different(cls, files: Any) -> Any:
        if isinstance(files, Mapping):
            names = [str(Path(name)) for name in files if isinstance(name, str | Path)]
            places = [realpath(name) for name in names]
            for name in names:
                if places.count(realpath(name)) > 1:
                    raise ValueError(f"{name} is named twice: give it one weight")
                if name in domain_names():
                    raise ValueError(
                        f"{name} is also the name of a domain: give the file another name or its whole path"
                    )
        return files

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
    """Processes among which the blocks of a step are divided; `auto` is as many as the cores allow, one on a GPU."""
    clip: PositiveFloat = 1.0
    """Largest norm of the gradient."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` is bf16 where the hardware multiplies it and, on a CPU, small operations are compiled; else fp32."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Run chains of small operations compiled; `auto` does so where a C++ compiler, or on a GPU Triton, is at hand."""
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

    @model_validator(mode="after")
    def _fits_the_model(self) -> Recipe:
        model = self.model.configuration()
        length, context, exits = self.train.length, model.max_position_embeddings, model.exit_layers
        if length > context:
            reason = f"a row of {length} tokens exceeds the model's context of {context}: lower train.length"
            raise self._misfit("train", "length", "max_position_embeddings", reason)
        if any(len(shares) != len(exits) for shares in self.objective.exits):
            reason = f"give objective.exits a share for each of the exits after {', '.join(map(str, exits))} layers"
            raise self._misfit("objective", "exits", "num_groups", reason)
        return self

    def _misfit(self, section: str, key: str, field: str, reason: str) -> ValidationError:
        """An error that names the key, or the model's field where the key has its default, which fits every size."""
        settings = getattr(self, section)
        value = getattr(settings, key)
        if field in self.model.overrides and value == getattr(type(settings)(), key):
            return _fault(("model", "overrides", field), self.model.overrides[field], reason)
        return _fault((section, key), value, reason)
