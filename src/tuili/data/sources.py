"""Sources of training documents: endless, numbered, and each document a function of its number alone.

A domain's problems are generated from the training seeds; a file's records come in a new order each epoch.
Which source is asked for its next document is decided in `stream`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tuili.data.packing import Document
from tuili.data.records import Record, read_training_records
from tuili.steps import split_response
from tuili.store import Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS, Problem, Split, generate

TOKENIZER_SAMPLE_RECORDS = 400
"""Records of each source that a tokenizer learns from."""
CHECKED_PROBLEMS = 20
"""Problems of each domain whose steps are checked before a run begins."""


class Source(Protocol):
    """An endless list of records under a name."""

    @property
    def name(self) -> str:
        """Its name, unique in a run."""
        ...

    def record(self, number: int) -> Record:
        """The record with this number (from 0), the same whenever it is asked for."""
        ...


class TaskSource:
    """The training problems of one domain; the level of each is drawn by weight."""

    def __init__(self, domain: str, levels: Mapping[int, float], seed: int) -> None:
        self.name = domain
        self._levels, self._weights = tuple(levels), tuple(levels.values())
        self._seed = Split.TRAIN.seed(seed)

    def problem(self, number: int) -> Problem:
        """Problem `number` of the seed."""
        rng = random.Random(f"level/{self.name}/{self._seed}/{number}")
        (level,) = rng.choices(self._levels, self._weights)
        return generate(self.name, self._seed, number, level)

    def record(self, number: int) -> Record:
        """The record of a problem."""
        return Record.of(self.problem(number))


class FileSource:
    """The records of a JSONL file, shuffled anew in every epoch.

    Raises `RecordError` for a bad file, and for one with problems that are kept for validation and test.
    """

    def __init__(self, path: str | Path, seed: int) -> None:
        self.name = str(path)
        self._records = tuple(read_training_records(path))
        self._seed = seed
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def record(self, number: int) -> Record:
        """Record `number` of all epochs one after the other."""
        epoch, place = divmod(number, len(self._records))
        return self._records[self._order(epoch)[place]]

    def _shuffled(self, epoch: int) -> list[int]:
        order = list(range(len(self._records)))
        random.Random(f"order/{self._seed}/{epoch}").shuffle(order)
        return order


def encode_record(tokenizer: Tokenizer, record: Record) -> Document:
    """The token ids of a record, labelled with its domain's expert."""
    tokens, prompt_length = tokenizer.encode_example(record.input, record.response)
    expert = BUILT_IN_DOMAINS.index(record.domain) if record.domain in BUILT_IN_DOMAINS else -1
    return Document(tuple(tokens), prompt_length, expert)


def check_sample(sources: Iterable[Source]) -> None:
    """Raise `InputError` for the first of some problems of the domains that has a step which is not valid."""
    for source in sources:
        if isinstance(source, TaskSource):
            for number in range(CHECKED_PROBLEMS):
                source.problem(number).checked()


def sample_texts(sources: Iterable[Source]) -> Iterator[str]:
    """The plain texts of the first records of each source, for a tokenizer to learn from."""
    for source in sources:
        for record in map(source.record, range(TOKENIZER_SAMPLE_RECORDS)):
            response = split_response(record.response)
            yield from (record.input, *response.steps, response.answer)
