"""The schema of a recipe that trains a verifier. Its one key `verifier` distinguishes it from recipes of a model.

`tuili.config` joins files and overrides into one recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator, model_validator

from tuili.config import Config
from tuili.posttrain.verifier.fit import FitConfig
from tuili.tasks import LEVELS, MUTATION_KINDS, Language


class ChainCounts(Config):
    """How many problems of each domain and level there are, or questions of `data` in all, and how many mutants and
    generated responses of each problem.
    """

    problems: PositiveInt
    mutants: NonNegativeInt
    written: NonNegativeInt


class VerifierSizeConfig(Config):
    """The size of the verifier."""

    channels: PositiveInt = 128
    layers: PositiveInt = 2
    heads: PositiveInt = 4
    dropout: NonNegativeFloat = Field(0.3, lt=1)

    @model_validator(mode="after")
    def _whole_heads(self) -> VerifierSizeConfig:
        if self.channels % (2 * self.heads):
            raise ValueError(f"channels {self.channels} must be divisible by twice the {self.heads} heads")
        return self


class VerifierTrainingConfig(Config):
    """What a verifier learns from, and how."""

    model: str = "nano"
    data: tuple[Path, ...] = ()
    """Files with questions and answers that replace the domains; an imported model needs some."""
    seed: Annotated[int, Field(ge=0, lt=1000)] = 1
    levels: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 3)
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = (Language.EN, Language.ZH)
    """Languages of the problems, in turn."""
    held_out: tuple[str, ...] = ("wrong_digit", "carried_error")
    """Kinds of mutants that are reserved for the test."""
    rounds: NonNegativeInt = 2
    """How many times the generator looks for chains that fool the verifier."""
    first: ChainCounts = ChainCounts(problems=16, mutants=3, written=2)
    attack: ChainCounts = ChainCounts(problems=8, mutants=2, written=2)
    validation: ChainCounts = ChainCounts(problems=30, mutants=1, written=1)
    test: ChainCounts = ChainCounts(problems=40, mutants=1, written=1)
    size: VerifierSizeConfig = VerifierSizeConfig()
    fit: FitConfig = FitConfig()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of mutants to learn from."""
        return tuple(kind for kind in MUTATION_KINDS if kind not in self.held_out)

    @field_validator("levels")
    @classmethod
    def _known_levels(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if unknown := set(levels) - set(LEVELS):
            raise ValueError(f"level {min(unknown)} does not exist: use {LEVELS[0]} to {LEVELS[-1]}")
        return levels

    @field_validator("held_out")
    @classmethod
    def _known_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [kind for kind in kinds if kind not in MUTATION_KINDS]:
            raise ValueError(f"unknown kind of error {unknown[0]!r}: use some of {', '.join(MUTATION_KINDS)}")
        if set(kinds) == set(MUTATION_KINDS):
            raise ValueError("no kind of error is left to learn from")
        return kinds


class VerifierRecipe(Config):
    """A recipe that trains a verifier."""

    verifier: VerifierTrainingConfig = VerifierTrainingConfig()
