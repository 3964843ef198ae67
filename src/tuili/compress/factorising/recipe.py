"""The schema of a recipe that factorises a model. Its one key `factorise` distinguishes it from other recipes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from tuili.compress.factorising.options import Bases
from tuili.compress.recipe import HealingConfig
from tuili.config import Config


class FactoriseHealing(HealingConfig):
    """A recovery from much, which takes longer."""

    steps: NonNegativeInt = 2000


class FactoriseConfig(Config):
    """How many parameters stay, how ranks are chosen and factors found, and how the model recovers from it."""

    keep: float = Field(0.32, gt=0, lt=1)
    """Of all parameters of the model, the share that it has in the end at most."""
    ranks: Literal["dynamic", "uniform"] = "dynamic"
    """Chosen by what each matrix costs and matters, or so that all matrices keep the same share."""
    by: Literal["whitened", "plain"] = "whitened"
    """Whether factors lose least on the inputs that samples give, or on any."""
    bases: Bases = "auto"
    """Whether each expert has factors of its own, or all of a layer share bases; auto: whichever loses less."""
    multiple: PositiveInt = 8
    """What ranks are multiples of."""
    samples: PositiveInt = 1000
    """Documents that second moments are taken on."""
    probes: PositiveInt = 64
    """Documents that the sensitivity of each matrix is measured on."""
    damping: PositiveFloat = Field(1e-3, le=1)
    """Of the mean variance of inputs, the share that is added to each second moment."""
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
