"""The schema of a recipe that factorises a model. Its one key `factorise` distinguishes it from other recipes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from tuili.compress.factorising.options import Bases
from tuili.compress.recipe import HealingConfig
from tuili.config import Config


class FactoriseHealing(HealingConfig):
    """Recovery from a large change, which takes longer."""

    steps: NonNegativeInt = 2000


class FactoriseConfig(Config):
    """How many parameters stay, how ranks are chosen and factors computed, and how the model recovers."""

    keep: float = Field(0.32, gt=0, lt=1)
    """The largest share of the model's parameters that is left."""
    ranks: Literal["dynamic", "uniform"] = "dynamic"
    """Chosen by each matrix's cost and importance, or so that all matrices keep the same share."""
    by: Literal["whitened", "plain"] = "whitened"
    """Whether factors lose the least on the inputs that samples give, or on any inputs."""
    bases: Bases = "auto"
    """Whether each expert has its own factors, or all experts of a layer share bases; auto: whichever loses less."""
    multiple: PositiveInt = 8
    """Ranks are multiples of this."""
    samples: PositiveInt = 1000
    """Documents for the second moments."""
    probes: PositiveInt = 64
    """Documents for measuring the sensitivity of each matrix."""
    damping: PositiveFloat = Field(1e-3, le=1)
    """The share of the inputs' mean variance that is added to each second moment."""
    healing: FactoriseHealing = FactoriseHealing()

    @model_validator(mode="after")
    def _has_effect(self) -> FactoriseConfig:
        without = {"samples": "by = plain", "damping": "by = plain"} if self.by == "plain" else {}
        without |= {"probes": "ranks = uniform"} if self.ranks == "uniform" else {}
        for name, why in without.items():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} has no effect where {why}: leave it out")
        return self


class FactoriseRecipe(Config):
    """A recipe that factorises a model."""

    factorise: FactoriseConfig = FactoriseConfig()
