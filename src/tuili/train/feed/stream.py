"""The data of a run: the recipe's section `data`, and the stream of blocks that follows from it.

Nothing here imports the model, so that a process that only prepares blocks starts quickly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    field_validator,
    model_validator,
)

from tuili.config import Config
from tuili.data import (
    MIN_VOCABULARY_SIZE,
    VOCABULARY_SIZE,
    BlockStream,
    FileSource,
    Source,
    StreamState,
    TaskSource,
    encode_record,
)
from tuili.store import PAD, Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, Language, domain_names, phase, read_domains
from tuili.train.feed.curriculum import Curriculum, CurriculumConfig


def _existing(domain: str) -> str:
    phase(domain)  # raises if no domain has this name today
    return domain


def _different(files: Any) -> Any:
    """Raises `ValueError` for a file that is named twice, and for one that has the name of a domain."""
    if isinstance(files, Mapping):
        names = [str(Path(name)) for name in files if isinstance(name, str | Path)]
        places = [realpath(name) for name in names]
        for name in names:
            if places.count(realpath(name)) > 1:
                raise ValueError(f"{name} is named twice: give it one weight")
            if name in domain_names():
                raise ValueError(f"{name} is also the name of a domain: give the file another name or its whole path")
    return files


FileWeights = Annotated[dict[Path, PositiveFloat], BeforeValidator(_different)]
"""Data files, each with its weight relative to 1 for all domains together."""


class DataConfig(Config):
    """What the model reads."""

    domains: Literal["all"] | tuple[str, ...] = "all"
    weights: dict[Annotated[str, AfterValidator(_existing)], PositiveFloat] = Field({})
    """Weights of domains relative to the others of their phase; a domain that is not named has weight 1."""
    levels: tuple[NonNegativeFloat, ...] = (0.4, 0.3, 0.15, 0.1, 0.05)
    """Weights of levels 1, 2, … among the problems of each domain."""
    languages: dict[Language, PositiveFloat] = Field({Language.EN: 1.0}, min_length=1)
    """Weights of the languages among the problems of each domain."""
    conversations: float = Field(0.0, ge=0, le=1)
    """Share of the domains' problems that are part of a conversation: after courtesies, a system message or earlier
    turns, or as a follow-up. A model that learns any is a model for conversations."""
    word_noise: float = Field(0.0, ge=0, le=1)
    """Share of the domains' other problems whose prompts have some words changed, so that a model learns to understand
    sentences that it has never read."""
    files: FileWeights = Field({})
    """JSONL files of your own."""
    vocabulary: int = Field(VOCABULARY_SIZE, ge=MIN_VOCABULARY_SIZE)
    """Maximum vocabulary of the tokenizer, which is learnt from this data before training, or comes with a model."""

    @property
    def domain_names(self) -> tuple[str, ...]:
        """The chosen domains in the order of their experts."""
        return tuple(name for name in domain_names() if self.domains == "all" or name in self.domains)

    @property
    def domain_weights(self) -> dict[str, float]:
        """The weight of each chosen domain, in the order of their experts."""
        return {name: self.weights.get(name, 1.0) for name in self.domain_names}

    @field_validator("domains")
    @classmethod
    def _known(cls, chosen: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        return chosen if chosen == "all" else read_domains(chosen)

    @field_validator("levels")
    @classmethod
    def _some_level(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if len(levels) > len(LEVELS) or not any(levels):
            raise ValueError(f"give a weight for each level from 1 to at most {LEVELS[-1]}, one of them above 0")
        return levels

    @model_validator(mode="after")
    def _something(self) -> DataConfig:
        if not self.domains and not self.files:
            raise ValueError("there is nothing to learn from: name domains or files")
        return self


Part = Literal["all", "learnt", "held"]


class StreamConfig(Config):
    """Everything that the blocks of a run depend on, except the tokenizer."""

    data: DataConfig
    curriculum: CurriculumConfig
    experts: tuple[str, ...] = BUILT_IN_DOMAINS
    """The domains of the model's experts."""
    seed: int
    steps: int
    accumulation: int
    rows: int
    length: int
    part: Part = "all"
    """Which records of files: all, those that `RecordSource.part` holds back, or the others."""

    def blocks_after(self, state: StreamState) -> int:
        """How many blocks the run still needs after a state of its stream."""
        return self.steps * self.accumulation - state.blocks


def build_curriculum(config: StreamConfig) -> Curriculum:
    """The weights over the domains and files of a run."""
    files = {str(path): weight for path, weight in config.data.files.items()}
    return Curriculum(config.curriculum, config.data.domain_weights, files)


def build_sources(data: DataConfig, seed: int, part: Part = "all") -> list[Source]:
    """The domains that a recipe names, then its files or a part of their records."""
    levels = {level: weight for level, weight in enumerate(data.levels, start=1) if weight}
    shares = data.conversations, data.word_noise
    tasks = [TaskSource(name, levels, seed, data.languages, *shares) for name in data.domain_names]
    files = [FileSource(path, seed) for path in data.files]
    return [*tasks, *(files if part == "all" else (file.part(part == "held") for file in files))]


def open_stream(
    config: StreamConfig, curriculum: Curriculum, sources: Sequence[Source], tokenizer: Tokenizer, state: StreamState
) -> BlockStream:
    """The blocks of a run from a given stream state on. All blocks of a step share the weights of its progress."""

    def weights(block: int) -> Mapping[str, float]:
        return curriculum.weights(block // config.accumulation / config.steps)

    encode = partial(encode_record, tokenizer, experts=config.experts)
    pad_id = tokenizer.token_id(PAD)
    return BlockStream(sources, encode, weights, rows=config.rows, length=config.length, pad_id=pad_id, state=state)
