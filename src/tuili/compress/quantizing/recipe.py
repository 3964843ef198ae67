"""The schema of a recipe that lets a finished model learn whole numbers. Its one key is `quantize`; while a model is
trained from the start, the section `qat` of its recipe does the same."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from tuili.compress.recipe import HealingConfig
from tuili.config import Config
from tuili.posttrain import LearningRate
from tuili.store import Quantization, WholeNumbers


class QuantizeHealing(HealingConfig):
    """Learning numbers in which the model is nearly what it was: fast steps would take it away from that."""

    steps: NonNegativeInt = 500
    learning_rate: LearningRate = 2e-5


class QuantizeConfig(Config):
    """The numbers that a model learns, and how long it learns them."""

    numbers: WholeNumbers = "int8"
    """`int8`: weights by output, and inputs by token. `w4a8`: weights of 4 bits in groups of 32 inputs."""
    cache: Literal["int8"] | None = None
    """Whether keys and values are rounded, too."""
    rounding: Literal["nearest", "compensated"] | None = None
    """How weights of 4 bits are rounded before they learn: each to the nearest number, or one behind the other so that
    those that follow make up for what is lost on samples. None: `compensated` where there are such weights."""
    samples: PositiveInt = 1000
    """Documents that compensation is measured on."""
    healing: QuantizeHealing = QuantizeHealing()
    """No steps: weights are rounded, and do not learn."""

    @model_validator(mode="after")
    def _effective(self) -> QuantizeConfig:
        if self.numbers == "int8" and self.rounding == "compensated":
            raise ValueError("rounding = compensated is for weights of 4 bits: leave it out, or use numbers = w4a8")
        if not self.compensates and self.samples != type(self).model_fields["samples"].default:
            raise ValueError("samples has no effect where weights are rounded to the nearest number: leave it out")
        return self

    @property
    def compensates(self) -> bool:
        """Whether weights make up for what rounding loses."""
        return self.numbers == "w4a8" and self.rounding != "nearest"

    @property
    def quantization(self) -> Quantization:
        """Both as a configuration has them."""
        return Quantization(self.numbers, self.cache)

    @property
    def rounded(self) -> Quantization | None:
        """The same where weights are rounded as they are; none where they learn."""
        return None if self.healing.steps else self.quantization


class QuantizeRecipe(Config):
    """A recipe that lets a model learn whole numbers."""

    quantize: QuantizeConfig = QuantizeConfig()
