"""The data of a teaching: the records of files that a model may learn from, additional domains, and their stream."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tuili.data import (
    BlockStream,
    Document,
    ImportOutcome,
    ReadQuestion,
    Record,
    RecordSource,
    Source,
    StreamState,
    TaskSource,
    read_questions,
)
from tuili.errors import InputError, RecordError
from tuili.posttrain.teaching.recipe import TeachingConfig, TeachingDataConfig
from tuili.tasks import without_working

Tell = Callable[[str], None]
SAMPLED_PROBLEMS = 2000
"""Problems of each domain whose responses show which tokens are written."""


class QuestionSource(RecordSource):
    """The questions of a file whose steps check. Raises `InputError` for a file with none.

    prose: take the words of the answers instead, as outputs. tell: gets a line with how many are left out, and why.
    """

    def __init__(self, path: Path, seed: int, tell: Tell, prose: bool = False) -> None:
        read = list(read_questions(path))
        wanted, why = "has steps that check and give the answer", "their steps do not give their answers"
        if prose:
            wanted, why = "is answered in words", "they are not answered in words"
        records = [record for one in read if (record := taught_record(one, prose))]
        if not records:
            raise InputError(f"{path}: no question {wanted}: nothing can be learnt")
        if left_out := len(read) - len(records):
            tell(f"{path}: {left_out} of {len(read)} questions are left out: {why}")
        super().__init__(str(path), records, seed)

    def check_learnable(self) -> None:
        """Raise `RecordError` for a problem of Tuili's own that is held out."""
        for record in self.records:
            refuse_held_out(self.name, record)


def taught_record(read: ReadQuestion, prose: bool) -> Record | None:
    """The record that a question is taught as; None if it is left out. prose: as for `QuestionSource`."""
    if prose:
        return read.record.model_copy(update={"output": read.prose, "steps": ()}) if read.prose else None
    return read.record if read.outcome is ImportOutcome.CHECKED else None


def refuse_held_out(name: str, record: Record) -> None:
    """Raise `RecordError` for a held-out record of the source with this name."""
    if record.is_held_out:
        raise RecordError(f"{name}: {record.id} is one that is never trained on")


@dataclass(frozen=True)
class TaughtSource:
    """A source as a model is taught it.

    weight: relative to other sources. lower_case: the share of questions in lower case; the choice depends on the name
    of a file, not on its folder. working: whether the lines that break calculations down are kept.
    """

    source: Source
    weight: float
    seed: int
    lower_case: float = 0.0
    working: bool = True

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.source.name

    def record(self, number: int) -> Record:
        """Record number `number` of the source."""
        record = self.source.record(number)
        if not self.working:
            record = record.model_copy(update={"steps": without_working(record.steps)})
        drawn = random.Random(f"letters/{Path(self.name).stem}/{self.seed}/{number}").random()
        return record.model_copy(update={"input": record.input.lower()}) if drawn < self.lower_case else record

    def part(self, held: bool) -> TaughtSource:
        """For a file, the questions that are held back, or all others; for a domain, all."""
        source = self.source
        return replace(self, source=source.part(held)) if isinstance(source, RecordSource) else self

    def sample(self) -> Iterator[Record]:
        """All records of a file, or many of a domain."""
        count = len(self.source.records) if isinstance(self.source, RecordSource) else SAMPLED_PROBLEMS
        return map(self.record, range(count))


def row_length(config: TeachingConfig, prefix: int, context: int) -> int:
    """Tokens of a row after a prefix of this length. context: the model's. Raises `InputError` if there is no room."""
    if config.length < 2 * prefix:
        raise InputError(f"teach.length = {config.length}: the template alone takes {prefix}: use {2 * prefix} or more")
    if config.length > context:
        raise InputError(f"teach.length = {config.length}: the model's context is {context}: use that at most")
    return config.length - prefix


def build_sources(config: TeachingDataConfig, seed: int, prose: bool, tell: Tell) -> list[TaughtSource]:
    """The sources that a recipe names: files, then domains. Raises as `QuestionSource` and its checks do."""
    levels = {level: weight for level, weight in enumerate(config.levels, start=1) if weight}
    sources = []
    for path, weight in config.files.items():
        questions = QuestionSource(path, seed, tell, prose)
        questions.check_learnable()
        sources.append(TaughtSource(questions, weight, seed, config.lower_case))
    for name in config.domains:
        problems = TaskSource(name, levels, seed)
        sources.append(TaughtSource(problems, 1 / len(config.domains), seed, config.lower_case, config.working))
    return sources


def written_tokens(
    sources: Iterable[TaughtSource], encode: Callable[[Record], Document], length: int, tell: Tell
) -> list[int]:
    """The tokens that occur in the learnt responses, rising.

    tell: gets a line for a source with questions that are longer than a row of `length` tokens. Raises `InputError` if
    all are.
    """
    written = set[int]()
    for source in sources:
        read = fitting = 0
        for document in map(encode, source.sample()):
            read += 1
            if len(document) <= length:
                fitting += 1
                written.update(document.tokens[document.prompt_length :])
        told = f"{source.name}: {read - fitting} of {read} questions are longer than the {length} tokens of a row"
        if not fitting:
            raise InputError(f"{told} behind the template: raise teach.length")
        if fitting < read:
            tell(f"{told} behind the template, and left out")
    return sorted(written)


def open_stream(
    sources: Sequence[TaughtSource], encode: Callable[[Record], Document], rows: int, length: int, pad_id: int,
    state: StreamState,
) -> BlockStream:  # fmt: skip
    """The blocks of a run, starting from a state of its stream."""
    weights = {source.name: source.weight for source in sources}
    return BlockStream(sources, encode, lambda _: weights, rows=rows, length=length, pad_id=pad_id, state=state)
