"""The schema of a recipe that distils a teacher into a student. Its one key `distil` distinguishes it from others."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from tuili.compress.recipe import HealingConfig
from tuili.config import Config
from tuili.model import PRESETS
from tuili.posttrain import LearningRate
from tuili.train import CheckpointConfig, ScheduleConfig

ON_POLICY = 0.25
SAMPLES = 1000
LEARNS = {"logits": "what its teacher predicts", "sequence": "what its teacher writes", "data": "texts alone"}
OF_THE_TEACHER = (
    "vocab_size", "pad_token_id", "bos_token_id", "eos_token_id", "separator_token_ids", "conversation", "domains",
    "exit_threshold",
)  # fmt: skip
"""Fields of the student's configuration that are fixed by its teacher, or chosen at the end."""


class StudentConfig(Config):
    """The student's size: a preset, or the teacher's size with some fields changed; or a model to start from."""

    preset: str | None = None
    overrides: dict[str, Any] = Field({})
    start: str | None = None
    """A folder, a hub name or a shipped name: a model with the teacher's tokenizer that becomes the student."""

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in PRESETS:
            raise ValueError(f"should be one of {', '.join(PRESETS)}, or fields such as hidden_size=96")
        return name

    @field_validator("overrides")
    @classmethod
    def _free(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        if taken := [name for name in overrides if name in OF_THE_TEACHER]:
            raise ValueError(f"{taken[0]} follows from the teacher: leave it out")
        return overrides

    @model_validator(mode="after")
    def _either(self) -> StudentConfig:
        if self.start is not None and (self.preset is not None or self.overrides):
            raise ValueError("start is a student of a size of its own: leave preset and overrides out")
        return self


class WritingConfig(Config):
    """How a model writes chains to learn from."""

    rounds: PositiveInt = 8
    """The rounds of each writer, teacher and student. In each round, chains are first written with the current weights,
    and then learnt."""
    chains: PositiveInt | None = None
    """Chains per round; none means as many as are learnt about once in the round."""
    temperature: float | None = Field(None, ge=0, le=2)
    """The sampling temperature. None means 1 with logits, whose divergences are means over what a model says, and 0
    (the likeliest token) with sequence, as Kim and Rush take the most probable output."""


class DistilHealing(HealingConfig):
    """Learning nearly from scratch."""

    steps: NonNegativeInt = 4000
    learning_rate: LearningRate = 1e-3
    schedule: ScheduleConfig = ScheduleConfig(warmup=100, floor=0.05)
    checkpoint: CheckpointConfig = CheckpointConfig(interval=200)


class DistilConfig(Config):
    """What the student is, what it learns from, and for how long."""

    to: StudentConfig = StudentConfig()
    by: Literal["logits", "sequence", "data"] = "logits"
    """What it learns: the teacher's probabilities at each token; the next token of chains that the teacher writes (Kim
    and Rush 2016, arXiv 1606.07947); or the next token of the texts, without a teacher."""
    source: Literal["teacher", "texts"] | None = None
    """The source of these chains; with logits, of those before the student writes its own. Either its teacher, whose
    chains follow its own distribution (also Kim and Rush), or the texts that the teacher was trained on, which need no
    writing. None means the only possible source, or the teacher if both are possible."""
    on_policy: float | None = Field(None, ge=0, le=1)
    """The share of all steps, at the end, in which the student writes the chains that it learns from, by reverse KL to
    its teacher (Agarwal et al. 2023, arXiv 2306.13649). None means a quarter if it learns by logits."""
    mask: bool = True
    """Whether to leave out what the student writes after the first step that the checker refutes, as is done for its
    teacher's chains; with sequence, whether to drop a teacher's chain with such a step entirely."""
    writing: WritingConfig = WritingConfig()
    layers: Literal["teacher", "new"] = "teacher"
    """What the student starts from: the teacher's layers, as far as shapes allow, or new weights."""
    samples: int = Field(SAMPLES, ge=1)
    """Documents used to choose which neurons, heads and experts a narrower student takes over."""
    healing: DistilHealing = DistilHealing()

    @property
    def on_policy_share(self) -> float:
        """The share of all steps that use what the student writes."""
        return self.on_policy if self.on_policy is not None else ON_POLICY if self.by == "logits" else 0.0

    @property
    def written_steps(self) -> int:
        """The number of steps that use what the student writes."""
        return round(self.on_policy_share * self.healing.steps)

    @property
    def teacher_writes(self) -> bool:
        """Whether the student learns from chains that its teacher writes, at first or throughout."""
        given = self.source or ("texts" if self.by == "data" else "teacher")
        return given == "teacher" and self.on_policy_share < 1

    @model_validator(mode="after")
    def _has_effect(self) -> DistilConfig:
        if self.on_policy and self.by != "logits":
            raise ValueError(f"on_policy is by the teacher's probabilities, and by = {self.by}: leave it out")
        if self.source is not None and self.on_policy_share == 1:
            raise ValueError("source is of the steps before the student writes, and on_policy = 1: leave it out")
        if (self.source, self.by) in (("teacher", "data"), ("texts", "sequence")):
            raise ValueError(f"source = {self.source}, and by = {self.by} learns the others: leave it out")
        if self.on_policy and not self.written_steps:
            raise ValueError(
                f"on_policy = {self.on_policy:g} of healing.steps = {self.healing.steps} is no step: raise one of "
                "both, or leave it out"
            )
        writes = self.on_policy_share > 0 or self.teacher_writes
        if not self.mask and not self.written_steps and self.by != "sequence":
            raise ValueError("mask = false is of what the student writes, and it writes nothing: leave it out")
        if self.writing != WritingConfig() and not writes:
            raise ValueError("writing is of chains that are learnt, and none are written: leave it out")
        if self.layers == "new" and self.to.start is not None:
            raise ValueError("layers = new, and the student goes on from the model of to.start: leave one of both out")
        if self.samples != SAMPLES and (self.layers == "new" or self.to.start is not None):
            raise ValueError("samples has no effect where nothing is chosen of the teacher: leave it out")
        return self


class DistilRecipe(Config):
    """A recipe that distils a teacher into a student."""

    distil: DistilConfig = DistilConfig()


def size_changes(to: str) -> list[str]:
    """The recipe changes that give a student a size: a preset, fields that differ, or both, separated by commas."""
    parts = [part.strip() for part in to.split(",")]
    return [f"distil.to.{'overrides.' if '=' in part else 'preset='}{part}" for part in parts]
