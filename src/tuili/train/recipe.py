"""The schema of a training recipe: every choice that a run depends on, checked before anything is built.

A section that belongs to a component is defined in the component's module. `tuili.config` turns files and overrides
into one recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from tuili.config import Config
from tuili.errors import ConfigError
from tuili.model import TuiliConfig, preset
from tuili.store import WEIGHT_GROUP
from tuili.tasks import SEEDS_PER_SPLIT
from tuili.train.checkpoint import CheckpointConfig
from tuili.train.dist.config import DistConfig
from tuili.train.feed.curriculum import CurriculumConfig
from tuili.train.feed.stream import DataConfig, StreamConfig
from tuili.train.log import LogConfig
from tuili.train.objective import ObjectiveConfig
from tuili.train.optim import OptimizerConfig
from tuili.train.qat import QatConfig
from tuili.train.schedule import ScheduleConfig
from tuili.train.timing import WARM_UP_STEPS

DeviceSetting = Literal["auto", "cpu", "cuda"]
FITTED_FIELDS = (
    "vocab_size",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "separator_token_ids",
    "num_experts",
    "domains",
)
"""Fields of the model's configuration that follow from the tokenizer and the list of tasks."""


def _refusal(size: str, overrides: Mapping[str, Any]) -> str | None:
    """Why a size does not accept these overrides; None if it does."""
    try:
        preset(size, **overrides)
    except ConfigError as error:
        return str(error).removeprefix(f"size {size!r} with {overrides}: ")
    return None


def _fault(key: tuple[str, ...], value: Any, reason: str) -> ValidationError:
    """An error at a key below the section that is being validated."""
    error = PydanticCustomError("misfit", "{reason}", {"reason": reason})
    return ValidationError.from_exception_data("recipe", [InitErrorDetails(type=error, loc=key, input=value)])


class ModelConfig(Config):
    """A named size, overrides of fields of its configuration, and the weights to start from."""

    preset: str = "nano"
    start: str | None = None
    """A model of that size that provides weights and tokenizer: a folder, a hub name or a shipped name."""
    overrides: dict[str, Any] = Field({})

    def configuration(self, **fitted: Any) -> TuiliConfig:
        """The configuration of the model, with these fields filled in."""
        return preset(self.preset, **self.overrides | fitted)

    @field_validator("preset")
    @classmethod
    def _known(cls, name: str) -> str:
        preset(name)
        return name

    @field_validator("overrides")
    @classmethod
    def _not_fitted(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for name in FITTED_FIELDS:
            if name in overrides:
                raise _fault((name,), overrides[name], "follows from the tokenizer or the list of tasks: leave it out")
        return overrides

    @model_validator(mode="after")
    def _possible(self) -> ModelConfig:
        """Raise an error that names the first override that the size does not accept together with those before it."""
        if _refusal(self.preset, self.overrides):
            for count, (name, value) in enumerate(self.overrides.items(), start=1):
                if reason := _refusal(self.preset, dict(islice(self.overrides.items(), count))):
                    raise _fault(("overrides", name), value, reason)
        return self


class TrainConfig(Config):
    """How long a run trains, how much data each step takes, and on what hardware."""

    steps: PositiveInt = 1000
    seed: int = Field(1, ge=0, lt=SEEDS_PER_SPLIT)
    rows: PositiveInt = 8
    """Rows of a block."""
    length: int = Field(512, ge=32)
    """Tokens of a row."""
    accumulation: PositiveInt = 1
    """Blocks (micro-batches) whose gradients a step averages, with equal weight however many tokens each has."""
    replicas: Literal["auto"] | PositiveInt = "auto"
    """Processes that share the blocks of a step; `auto` is as many as the cores allow, and one on a GPU. For all
    backends except `replicas`, `auto` is the number of processes that were started."""
    dist: DistConfig = DistConfig()
    balance_rounds: NonNegativeInt = 0
    """Rounds after the last step that balance the experts without gradients, with equal weight for every domain."""
    clip: PositiveFloat | None = 1.0
    """Maximum norm of the gradient; null disables clipping."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """`auto` is bf16 if the hardware multiplies it and, on a CPU, small operations are native or compiled; otherwise
    fp32. `fp16`, for `zero3` on a GPU, scales the loss."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Compile chains of small operations; `auto` does so if a C++ compiler, or on a GPU Triton, is available."""
    kernels: Literal["auto", "native", "flex", "torch"] = "auto"
    """What runs experts, attention and small operations: the native library, or torch, with or without flex attention;
    `auto` is native on a CPU if the library is available, and flex on a GPU if `compile` is on."""
    device: DeviceSetting = "auto"
    """`auto` is a GPU if there is one."""

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if self.replicas != "auto" and self.accumulation % self.replicas:
            raise ValueError(f"replicas = {self.replicas} does not divide accumulation = {self.accumulation} evenly")
        if self.precision == "fp16" and self.dist.backend != "zero3":
            raise ValueError(f"precision = fp16: dist.backend = {self.dist.backend} does not scale the loss, so that "
                             "small gradients would vanish: use zero3, or bf16")  # fmt: skip
        if self.dist.overlap == "update" and self.clip is not None:
            raise ValueError(f"clip = {self.clip}: dist.overlap = update changes weights before the norm of all "
                             "gradients is known: set clip to null, or overlap to communication")  # fmt: skip
        if self.dist.gradients.form == "powersgd" and self.steps <= self.dist.gradients.start:
            raise ValueError(f"dist.gradients.start = {self.dist.gradients.start}: the run has {self.steps} steps, "
                             "which would all be plain: start earlier")  # fmt: skip
        if self.dist.trace is not None and self.steps < WARM_UP_STEPS + self.dist.trace:
            raise ValueError(f"dist.trace = {self.dist.trace}: the run has {self.steps} steps, of which the first "
                             f"{WARM_UP_STEPS} are not traced: trace fewer")  # fmt: skip
        return self


class Recipe(Config):
    """A whole training run."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()
    qat: QatConfig = QatConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()

    @property
    def stream(self) -> StreamConfig:
        """What the blocks of the run depend on."""
        train = self.train.model_dump(include={"seed", "steps", "accumulation", "rows", "length"})
        return StreamConfig(data=self.data, curriculum=self.curriculum, **train)

    @model_validator(mode="after")
    def _fits_the_model(self) -> Recipe:
        model = self.model.configuration()
        length, context, exits = self.train.length, model.max_position_embeddings, model.exit_layers
        if length > context:
            reason = f"a row of {length} tokens exceeds the model's context of {context}: lower train.length"
            raise self._misfit("train", "length", "max_position_embeddings", reason)
        if self.data.conversations and self.model.overrides.get("conversation") == "single":
            reason = f"data.conversations = {self.data.conversations} makes a model of conversations: leave one out"
            raise _fault(("model", "overrides", "conversation"), "single", reason)
        if self.train.balance_rounds and not self.data.domain_names:
            reason = "balances the experts over the domains, and data.domains names none: leave it out"
            raise _fault(("train", "balance_rounds"), self.train.balance_rounds, reason)
        if self.train.dist.backend == "zero3" and self.optimizer.kind == "muon":
            reason = (
                "needs whole matrices, and zero3 flattens what it divides: use adamw, or train.dist.backend = fsdp2"
            )
            raise _fault(("optimizer", "kind"), self.optimizer.kind, reason)
        if self.train.dist.gradients.precondition and self.optimizer.kind == "muon":
            reason = "has no moments, by which train.dist.gradients.precondition divides: use adamw, or leave that out"
            raise _fault(("optimizer", "kind"), self.optimizer.kind, reason)
        if self.qat.numbers is not None and self.qat.start >= self.train.steps:
            reason = f"the run has {self.train.steps} steps, none of which would learn {self.qat.numbers}"
            raise _fault(("qat", "start"), self.qat.start, f"{reason}: begin earlier")
        if self.qat.numbers == "w4a8" and model.hidden_size % WEIGHT_GROUP:
            reason = f"groups of {WEIGHT_GROUP} inputs do not divide hidden_size {model.hidden_size}: use int8"
            raise _fault(("qat", "numbers"), self.qat.numbers, reason)
        if self.qat.numbers is None and self.qat.cache is not None:
            raise _fault(("qat", "cache"), self.qat.cache, "goes with qat.numbers, which are not set: set them, too")
        if any(len(shares) != len(exits) for shares in self.objective.exits):
            reason = f"give objective.exits a share for each of the exits after {', '.join(map(str, exits))} layers"
            raise self._misfit("objective", "exits", "num_groups", reason)
        return self

    def _misfit(self, section: str, key: str, field: str, reason: str) -> ValidationError:
        """An error that names the key; or the overridden field of the model if the key still has its default, which
        fits every size."""
        settings = getattr(self, section)
        value = getattr(settings, key)
        if field in self.model.overrides and value == getattr(type(settings)(), key):
            return _fault(("model", "overrides", field), self.model.overrides[field], reason)
        return _fault((section, key), value, reason)
