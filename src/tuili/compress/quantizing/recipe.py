"""The schema of a recipe that quantises a finished model. Its one key is `quantize`; for a model trained from scratch,
the section `qat` of its training recipe does the same."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from tuili.compress.recipe import HealingConfig
from tuili.config import Config
from tuili.posttrain import LearningRate
from tuili.store import Quantization, WholeNumbers


class QuantizeHealing(HealingConfig):
    """Learning integers with which the model is nearly unchanged: a high learning rate would move it away."""

    steps: NonNegativeInt = 500
    learning_rate: LearningRate = 2e-5


class QuantizeConfig(Config):
    """The integers that a model learns, and for how long."""

    numbers: WholeNumbers = "int8"
    """`int8`: weights by output, and inputs by token. `w4a8`: weights of 4 bits in groups of 32 inputs."""
    cache: Literal["int8"] | None = None
    """Whether keys and values are rounded too."""
    rounding: Literal["nearest", "compensated"] | None = None
    """How 4-bit weights are rounded before they learn: each to the nearest integer, or one after the other, with later
    ones compensating for the loss on samples. None: `compensated` if there are such weights."""
    samples: PositiveInt = 1000
    """Documents on which compensation is measured."""
    healing: QuantizeHealing = QuantizeHealing()
    """With no steps, weights are rounded and do not learn."""

    @model_validator(mode="after")
    def _effective(self) -> QuantizeConfig:
        if self.numbers == "int8" and self.rounding == "compensated":
            raise ValueError("rounding = compensated is for weights of 4 bits: leave it out, or use numbers = w4a8")
        if not self.compensates and self.samples != type(self).model_fields["samples"].default:
            raise ValueError("samples has no effect where weights are rounded to the nearest number: leave it out")
        return self

    @property
    def compensates(self) -> bool:
        """Whether weights compensate for the loss of rounding."""
        return self.numbers == "w4a8" and self.rounding != "nearest"

    @property
    def quantization(self) -> Quantization:
        """The numbers and the cache in the form of a configuration."""
        return Quantization(self.numbers, self.cache)

    @property
    def rounded(self) -> Quantization | None:
        """The same if weights are rounded without learning; None if they learn."""
        return None if self.healing.steps else self.quantization


class QuantizeRecipe(Config):
    """A recipe that quantises a model."""

    quantize: QuantizeConfig = QuantizeConfig()
