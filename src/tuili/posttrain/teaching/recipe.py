"""The schema of a recipe that teaches an imported model. Its one key `teach` distinguishes it from other recipes.

`tuili.config` joins files and overrides into one recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)

from tuili.config import Config
from tuili.posttrain.learning import LearningConfig
from tuili.steps import CalculatorMode
from tuili.tasks import read_domains
from tuili.train import DeviceSetting, FileWeights

_Share = Annotated[float, Field(ge=0, le=1)]


class TeachingDataConfig(Config):
    """What the model learns from."""

    files: FileWeights = Field({})
    """Files of questions with answers."""
    domains: Annotated[tuple[str, ...], AfterValidator(read_domains)] = ()
    """Tuili's own domains to learn from in addition."""
    levels: tuple[NonNegativeFloat, ...] = Field((0.4, 0.3, 0.2, 0.1), min_length=1, max_length=5)
    """Weights of levels 1, 2, … among the problems of the domains."""
    working: bool = False
    """Whether problems of the domains keep the lines that break calculations down; a calculator needs none."""
    lower_case: _Share = 0.1
    """Share of the questions that are read in lower case."""
    validation: tuple[Path, ...] = ()
    """Files whose loss is measured during training; nothing is learnt from them."""

    @model_validator(mode="after")
    def _something(self) -> TeachingDataConfig:
        if not self.files and not self.domains:
            raise ValueError("there is nothing to learn from: name files, as in teach.data.files={gsm8k.jsonl: 1}")
        if not any(self.levels):
            raise ValueError("levels: one weight must be above 0")
        return self


class TeachingConfig(LearningConfig):
    """How an imported model is taught."""

    model: str = "smollm2"
    """A folder that `tuili import` has made, or a hub name."""
    data: TeachingDataConfig
    way: Literal["lora", "full"] = "lora"
    """`lora`: the matrices of the layers that learn get a low-rank term, which ships as a small adapter. `full`: all
    weights of these layers learn."""
    first_layer: NonNegativeInt | None = None
    """Layers below this one do not change; none means half of the layers. With `full` and 0 the embedding
    learns too."""
    rank: PositiveInt = Field(32, le=1024)
    """The rank of the terms."""
    response: Literal["steps", "prose"] = "steps"
    """What is learnt: steps that the checker can read, or the words of the files, if they have any."""
    results: Literal["masked", "learnt"] = "masked"
    """Whether the values after `=` are learnt, which a calculator can write."""
    calculator: CalculatorMode = "forced"
    """How the taught model is run unless a request says otherwise."""
    qat: bool = False
    """Whether the model learns in 8 bits, rounded as the engine rounds an imported model when it loads it."""
    extra_tokens: PositiveInt = Field(2000, le=1_000_000)
    """Tokens drawn in every step that are scored in addition to those of the responses."""
    device: DeviceSetting = "auto"
    """The device for training; `auto` is a GPU if there is one."""
    seed: Annotated[int, Field(ge=0, lt=1000)] = 1
    steps: PositiveInt = 1000
    rows: PositiveInt = 8
    """Rows per step."""
    length: int = Field(256, ge=64)
    """Tokens of a row, which holds questions with their responses one after the other."""
    validation_interval: PositiveInt = 200
    """Steps between two measurements of the validation files."""
    validation_rows: PositiveInt = 16
    """Rows in each such measurement."""

    @model_validator(mode="after")
    def _words_are_of_files(self) -> TeachingConfig:
        if self.response == "prose" and self.data.domains:
            raise ValueError("prose is learnt from files alone: add data.domains=[], or choose steps")
        return self

    @model_validator(mode="after")
    def _values_are_written(self) -> TeachingConfig:
        if self.response == "prose" and self.calculator == "repair":
            raise ValueError("calculator = repair: prose has no steps to repair; choose steps, or calculator=off")
        if self.response == "steps" and self.results == "masked" and self.calculator == "off":
            raise ValueError("calculator = off: the values of steps would not be learnt; add results=learnt")
        return self


class TeachingRecipe(Config):
    """A recipe that teaches an imported model."""

    teach: TeachingConfig
