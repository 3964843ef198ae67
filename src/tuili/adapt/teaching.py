"""Teaching as a stage: one interface to the trainings of `tuili.posttrain` and `tuili.train`, sized by the data.

`plan` decides how many steps are taken.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from tuili.adapt.options import AdaptOptions
from tuili.adapt.stages import Interrupted
from tuili.config import load_recipe
from tuili.data import Record
from tuili.engine import dialect_of
from tuili.posttrain import TeachingRecipe, teach
from tuili.steps import CalculatorMode, Turns, read_turns
from tuili.store import ImportedModel, StoredModel, read_lineage
from tuili.tasks import domain_names
from tuili.train import Recipe, train

FILLED = 0.9
"""The share of a row's tokens that belong to a document."""
REHEARSED = 0.25
"""The share of domains in what an imported model learns, if it rehearses some."""
RANK = 32
"""The rank of the terms in the upper half of an imported model's layers."""
LENGTHS = range(256, 1025, 128)
"""Possible row lengths in tokens; the shortest that holds the longest question is chosen."""


@dataclass(frozen=True)
class Taught:
    """The model that a teaching has made."""

    model: Path
    steps: int
    tokens: int


class Teacher(ABC):
    """Teaches one kind of model. passes: how often it reads the questions, if there is time."""

    passes: int
    calculator: CalculatorMode
    """Whether the checker writes values into the steps of the taught model."""
    step_tokens: int
    """Tokens per step."""
    longest: int
    """Tokens of the longest question with its response that can be taught."""
    recall_seconds: float
    """About how many seconds it takes to judge, from what the model has learnt from, which questions are familiar."""

    @abstractmethod
    def tokens_of(self, record: Record) -> int:
        """The tokens of a question with its response, as they are taught."""

    @abstractmethod
    def response_tokens(self, record: Record) -> int:
        """The tokens of the response alone."""

    @abstractmethod
    def steps_for(self, records: Iterable[Record], passes: int) -> int:
        """The steps in which the questions are read this many times."""

    @abstractmethod
    def teach(self, file: Path, steps: int, out: Path, interval: int, console: Console) -> Taught:
        """Teach the content of a file, in the folder `out`; continue there what an earlier session has begun.

        interval: steps between two lines of the log. Raises `Interrupted` after a Ctrl-C.
        """


class ImportedTeacher(Teacher):
    """Teaches an imported model to answer in steps, by low-rank terms in its upper half."""

    passes = 4
    calculator = "forced"
    recall_seconds = 3.0

    def __init__(self, stored: ImportedModel, options: AdaptOptions, records: Iterable[Record]) -> None:
        """records: what is to be taught."""
        self._stored, self._options = stored, options
        self._dialect = dialect_of(stored.tokenizer)
        self._prefix = len(stored.tokenizer.question_prefix)
        needed = self._prefix + max([self._prefix, *map(self.tokens_of, records)])
        fitting = next((length for length in LENGTHS if length >= needed), LENGTHS[-1])
        self._length = min(fitting, stored.shape.max_position_embeddings)
        self.step_tokens, self.longest = 8 * self._length, self._length - self._prefix

    def tokens_of(self, record: Record) -> int:
        """See `Teacher`. The common beginning of all questions is not counted, because it stands once in a row."""
        return len(self._prompt(record.input)) - self._prefix + self.response_tokens(record)

    def response_tokens(self, record: Record) -> int:
        """See `Teacher`."""
        return len(self._stored.tokenizer.encode_response((), record.response)) + 1

    def steps_for(self, records: Iterable[Record], passes: int) -> int:
        """See `Teacher`."""
        tokens = passes * sum(map(self.tokens_of, records))
        share = 1 - REHEARSED if self._options.rehearse else 1.0
        return max(1, round(tokens / share / (FILLED * self.step_tokens)))

    def teach(self, file: Path, steps: int, out: Path, interval: int, console: Console) -> Taught:
        """See `Teacher`."""
        options, weight = self._options, (1 - REHEARSED) / REHEARSED
        overrides = {
            "model": options.model, "first_layer": None, "rank": RANK, "steps": steps, "length": self._length,
            "seed": options.seed,
            "data": {"files": {str(file): weight}, "domains": list(options.rehearse)},
            "checkpoint": {"interval": 25, "keep": 2}, "log": {"interval": interval},
        }  # fmt: skip
        recipe = load_recipe("smollm2-math", _overrides("teach", overrides), TeachingRecipe)
        result = teach(recipe.teach, out, resume=True, console=console)
        if result.model is None:
            raise Interrupted(f"step {result.step} of {steps} of the teaching is saved")
        return Taught(result.model, result.step, result.tokens)

    def _prompt(self, question: str) -> list[int]:
        return self._dialect.encode(Turns(question), self._stored.shape.max_position_embeddings)


class OwnTeacher(Teacher):
    """Teaches a model of Tuili's own kind, which rehearses all its domains alongside the questions."""

    passes = 12
    calculator = "repair"
    recall_seconds = 45.0

    def __init__(self, stored: StoredModel, options: AdaptOptions) -> None:
        self._stored, self._options = stored, options
        self._recipe = self.recipe({})
        train_config = self._recipe.train
        self.step_tokens = train_config.rows * train_config.length * train_config.accumulation
        self.longest = train_config.length

    def tokens_of(self, record: Record) -> int:
        """See `Teacher`."""
        return len(self._encoded(record)[0])

    def response_tokens(self, record: Record) -> int:
        """See `Teacher`."""
        ids, prompt = self._encoded(record)
        return len(ids) - prompt

    def steps_for(self, records: Iterable[Record], passes: int) -> int:
        """See `Teacher`. Domains are half of what it reads."""
        tokens = 2 * passes * sum(map(self.tokens_of, records))
        return max(1, round(tokens / (FILLED * self.step_tokens)))

    def teach(self, file: Path, steps: int, out: Path, interval: int, console: Console) -> Taught:
        """See `Teacher`."""
        changes = {
            "data": {"files": {str(file): 1.0}}, "train": {"steps": steps}, "checkpoint": {"interval": 25},
            "log": {"interval": interval},
        }  # fmt: skip
        result = train(self.recipe(changes), out, resume=True, console=console)
        if result.model is None:
            raise Interrupted(f"step {result.step} of {steps} of the teaching is saved")
        return Taught(result.model, result.step, result.tokens)

    def _encoded(self, record: Record) -> tuple[list[int], int]:
        prompt, earlier = read_turns(*record.turns)
        return self._stored.tokenizer.encode_example(prompt, record.response, earlier)

    def recipe(self, changes: dict[str, Any]) -> Recipe:
        """The recipe `adapt` for this model, with some changes; it has the size and the domains of the model."""
        stored = self._stored
        sections = [one.recipe["model"] for one in read_lineage(stored.path) if "model" in one.recipe]
        size = {key: value for key, value in (sections[-1] if sections else {}).items() if key != "start"}
        known = [name for name in stored.shape.domains or () if name in domain_names()]
        fitting = [
            *_overrides("model", size | {"start": str(stored.path)}),
            f"data.domains={json.dumps(known)}",
            f"data.vocabulary={max(2048, stored.tokenizer.size)}",
            f"train.length={min(448, stored.shape.max_position_embeddings)}",
            f"train.seed={self._options.seed}",
            *(["data.conversations=0"] if stored.shape.conversation == "single" else []),
        ]
        changed = [line for section, keys in changes.items() for line in _overrides(section, keys)]
        return load_recipe("adapt", [*fitting, *changed], Recipe)


def teacher_of(stored: StoredModel | ImportedModel, options: AdaptOptions, records: Iterable[Record]) -> Teacher:
    """The teacher for a model that is to learn these questions."""
    if isinstance(stored, StoredModel):
        return OwnTeacher(stored, options)
    return ImportedTeacher(stored, options, records)


def _overrides(section: str, keys: dict[str, Any]) -> list[str]:
    """Changes to a section of a recipe; JSON is valid YAML."""
    return [f"{section}.{key}={json.dumps(value)}" for key, value in keys.items()]
