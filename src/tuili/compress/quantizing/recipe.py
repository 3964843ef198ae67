"""The schema of a recipe that lets a finished model learn whole numbers. Its one key is `quantize`; while a model is
trained from the start, the section `qat` of its recipe does the same."""

from __future__ import annotations

from typing import Literal

from tuili.compress.recipe import HealingConfig
from tuili.config import Config
from tuili.store import Quantization, WholeNumbers


class QuantizeConfig(Config):
    """The numbers that a model learns, and how long it learns them."""

    numbers: WholeNumbers = "int8"
    """`int8`: weights by output, and inputs by token. `w4a8`: weights of 4 bits in groups of 32 inputs."""
    cache: Literal["int8"] | None = None
    """Whether keys and values are rounded, too."""
    healing: HealingConfig = HealingConfig(steps=500, learning_rate=1e-4)
    """No steps: weights are rounded as they are."""

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
