"""The data of a teaching: the records of files that a model may learn from, domains beside them, and their stream."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tuili.data import (
    BlockStream,
    Document,
    ImportOutcome,
    Record,
    Source,
    StreamState,
    TaskSource,
    read_questions,
)
from tuili.errors import InputError, RecordError
from tuili.posttrain.teaching.recipe import TeachingDataConfig
from tuili.tasks import without_working

Tell = Callable[[str], None]


class QuestionSource:
    """The questions of a file whose steps check, in a new order in each epoch. Raises `InputError` for a file without.

    prose: take the words of the answers instead, as outputs. tell: is given a line with how many are left out, and why.
    """

    def __init__(self, path: Path, seed: int, tell: Tell, prose: bool = False) -> None:
        self.name = str(path)
        read = list(read_questions(path))
        if prose:
            wanted, why = "is answered in words", "they are not answered in words"
            told = (one.record.model_copy(update={"output": one.prose, "steps": ()}) for one in read if one.prose)
            self.records = tuple(told)
        else:
            wanted, why = "has steps that check and give the answer", "their steps do not give their answers"
            self.records = tuple(one.record for one in read if one.outcome is ImportOutcome.CHECKED)
        if not self.records:
            raise InputError(f"{path}: no question {wanted}: nothing can be learnt")
        for number, record in enumerate(self.records, start=1):
            if record.is_held_out:
                raise RecordError(f"{path}: record {number} ({record.id}) is one that is never trained on")
        if left_out := len(read) - len(self.records):
            tell(f"{path}: {left_out} of {len(read)} questions are left out: {why}")
        self._seed, self._order = seed, (-1, [0])

    def record(self, number: int) -> Record:
        """Record number `number`, counted on from epoch to epoch."""
        epoch, place = divmod(number, len(self.records))
        if self._order[0] != epoch:
            order = list(range(len(self.records)))
            random.Random(f"order/{self._seed}/{epoch}").shuffle(order)
            self._order = epoch, order
        return self.records[self._order[1][place]]


class WithoutWorking:
    """A source whose steps come without the lines that break calculations down."""

    def __init__(self, source: Source) -> None:
        self.name, self._source = source.name, source

    def record(self, number: int) -> Record:
        """Record number `number` of the source."""
        record = self._source.record(number)
        return record.model_copy(update={"steps": without_working(record.steps)})


class SmallLetters:
    """A source of which a share of the questions is in small letters."""

    def __init__(self, source: Source, share: float, seed: int) -> None:
        self.name, self._source, self._share, self._seed = source.name, source, share, seed

    def record(self, number: int) -> Record:
        """Record number `number` of the source."""
        record = self._source.record(number)
        drawn = random.Random(f"letters/{self.name}/{self._seed}/{number}").random()
        return record.model_copy(update={"input": record.input.lower()}) if drawn < self._share else record


def build_sources(
    config: TeachingDataConfig, seed: int, prose: bool, tell: Tell
) -> tuple[list[Source], Mapping[str, float]]:
    """The sources that a recipe names, and their weights by name."""
    levels = {level: weight for level, weight in enumerate(config.levels, start=1) if weight}
    files = {path: QuestionSource(path, seed, tell, prose) for path in config.files}
    weights = {files[path].name: weight for path, weight in config.files.items()}
    domains: list[Source] = [TaskSource(name, levels, seed) for name in config.domains]
    if not config.working:
        domains = [WithoutWorking(source) for source in domains]
    weights |= {source.name: 1 / len(domains) for source in domains}
    plain: list[Source] = [*files.values(), *domains]
    return [SmallLetters(source, config.lower_case, seed) for source in plain], weights


def open_stream(
    sources: Sequence[Source], weights: Mapping[str, float], encode: Callable[[Record], Document], rows: int,
    length: int, pad_id: int, state: StreamState,
) -> BlockStream:  # fmt: skip
    """The blocks of a run from a state of its stream on."""
    return BlockStream(sources, encode, lambda _: weights, rows=rows, length=length, pad_id=pad_id, state=state)
