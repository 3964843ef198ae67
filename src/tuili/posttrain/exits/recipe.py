"""The schema of a recipe that trains exits. Its one key `exits` distinguishes it from recipes of a model.

`tuili.config` joins files and overrides into one recipe.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator

from tuili.config import Config
from tuili.posttrain.exits.adapters import AdapterConfig
from tuili.posttrain.exits.confidence import ConfidenceConfig
from tuili.posttrain.exits.joint import JointConfig


class ThresholdConfig(Config):
    """How to choose the confidence at which a token leaves."""

    loss: NonNegativeFloat = Field(0.5, le=100)
    """The tolerated loss, in points of next-token accuracy, against what `than` names."""
    than: Literal["full", "before"] = "full"
    """Full depth of the model with its exits; or of the original model, which joint training changes."""
    margin: NonNegativeFloat = 0.1
    """The points of this loss that are not used up on the validation texts."""
    tries: Annotated[int, Field(ge=2, le=40)] = 6
    """The number of thresholds tried; each reads the validation texts once."""


class ExitsTrainingConfig(Config):
    """What exits learn from, and how."""

    at: tuple[PositiveInt, ...] = ()
    """Depths of exits; empty means two, three and four fifths of the layers. The full depth is always the last."""
    way: Literal["frozen", "joint"] = "frozen"
    """`frozen`: the model does not change. `joint`: its layers learn with the exits, and it becomes another model."""
    seed: Annotated[int, Field(ge=0, lt=1000)] = 1
    rank: PositiveInt = Field(128, le=4096)
    """The rank of an adapter."""
    channels: PositiveInt = Field(64, le=4096)
    """Channels of a confidence head."""
    common_tokens: int = Field(2048, ge=2)
    """How many of the commonest tokens of responses have logits that show how sure an exit is."""
    tokens: PositiveInt = 300_000
    """Tokens of training texts that the frozen way reads."""
    validation_tokens: PositiveInt = 15_000
    """Tokens on which the threshold is chosen."""
    test_tokens: PositiveInt = 25_000
    """Tokens on which the figures are measured."""
    numbers: Literal["bf16", "fp32"] = "bf16"
    """The numeric type in which the model reads."""
    texts: PositiveInt = 16
    """Texts that are read at a time."""
    adapter: AdapterConfig = AdapterConfig()
    confidence: ConfidenceConfig = ConfidenceConfig()
    threshold: ThresholdConfig = ThresholdConfig()
    joint: JointConfig = JointConfig()

    @field_validator("at")
    @classmethod
    def _rising(cls, at: tuple[int, ...]) -> tuple[int, ...]:
        if any(left >= right for left, right in pairwise(at)):
            raise ValueError("depths must rise, each once")
        return at


class ExitsRecipe(Config):
    """A recipe that trains exits."""

    exits: ExitsTrainingConfig = ExitsTrainingConfig()
