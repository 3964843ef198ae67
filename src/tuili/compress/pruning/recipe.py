"""The schema of a recipe that prunes a model. Its one key `prune` distinguishes it from other recipes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from tuili.compress.recipe import HealingConfig
from tuili.config import Config


class PruneConfig(Config):
    """What is removed, by which scores, in how many rounds, and how the model recovers."""

    share: float = Field(0.3, ge=0, lt=1)
    """The smallest share of the neurons of every feed-forward layer and of every expert that is removed."""
    by: Literal["magnitude", "activation", "reconstruction"] = "reconstruction"
    """Scores of neurons and heads: the norm of their weights; the norm of their contribution to the stream on samples;
    or the loss if the remaining ones compensate for them, which is then done."""
    rounds: PositiveInt = 1
    """Rounds of removal, each followed by recovery."""
    multiple: PositiveInt = 16
    """The remaining widths are multiples of this."""
    key_value_heads: PositiveInt | None = None
    """Key-value heads that stay in each layer, with the query heads that read them; none for all."""
    experts: PositiveInt | None = None
    """Experts that stay in each layer; none for all."""
    experts_by: Literal["reap", "frequency"] = "reap"
    """Scores of experts: the norm of their contribution, weighted by the router, or how often they are chosen."""
    samples: PositiveInt = 1000
    """Documents for the scores, except scores by magnitude."""
    healing: HealingConfig = HealingConfig()

    @model_validator(mode="after")
    def _something(self) -> PruneConfig:
        if not self.share and self.key_value_heads is None and self.experts is None:
            raise ValueError("there is nothing to remove: give a share above 0, key_value_heads or experts")
        if self._differs("by") and not self.share and self.key_value_heads is None:
            raise ValueError("by tells which neurons and heads go, and none go: leave it out")
        if self.experts_by == "frequency" and self.experts is None:
            raise ValueError("experts_by tells which experts go, and none go: give experts, or leave it out")
        if not self.share and self._differs("multiple"):
            raise ValueError("multiple has no effect where share = 0: leave it out")
        if self.by == "magnitude" and self.experts is None and self._differs("samples"):
            raise ValueError("samples has no effect where by = magnitude: leave it out")
        if self.rounds > 1 and self.by == "magnitude" and self.experts is None and not self.healing.steps:
            raise ValueError("rounds has no effect where by = magnitude and healing.steps = 0: leave it out")
        return self

    def _differs(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)


class PruneRecipe(Config):
    """A recipe that prunes a model."""

    prune: PruneConfig = PruneConfig()
