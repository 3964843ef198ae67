"""Sources of training documents: endless lists of records, in which the number alone determines the record.

A domain's problems are generated from the training seeds. A file's records come in a new order in each epoch. `stream`
decides which source gives the next document.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from tuili.data.packing import Document
from tuili.data.records import Record, read_training_records
from tuili.steps import read_turns, split_response
from tuili.store import Tokenizer
from tuili.tasks import BUILT_IN_DOMAINS, Language, Problem, Split, Wording, converse, generate, own_experts, with_noise

TOKENIZER_SAMPLE_RECORDS = 1000
"""The number of records of each source that a tokenizer is trained on."""
HELD_SHARE = 20
"""One in this many questions of a file is held back if something is to be measured on questions not trained on."""
CHECKED_PROBLEMS = 20
"""The number of problems of each domain whose steps are checked before a run begins."""


class Source(Protocol):
    """An endless list of records under a name."""

    @property
    def name(self) -> str:
        """The name of the source, unique in a run."""
        ...

    def record(self, number: int) -> Record:
        """The record with this number, counted from 0. A number always gives the same record."""
        ...


class TaskSource:
    """The training problems of one domain, in all forms that may be trained on.

    The weights in `levels` and `languages` determine the level and the language of each problem. `conversations` is the
    share of records that are conversations around the problem; `word_noise` is the share of the other records whose
    prompt has some words changed.
    """

    def __init__(
        self,
        domain: str,
        levels: Mapping[int, float],
        seed: int,
        languages: Mapping[Language, float] = MappingProxyType({Language.EN: 1.0}),
        conversations: float = 0.0,
        word_noise: float = 0.0,
    ) -> None:
        self.name = domain
        self._levels, self._weights = tuple(levels), tuple(levels.values())
        self._conversations, self._word_noise = conversations, word_noise
        self._languages, self._shares = tuple(languages), tuple(languages.values())
        self._seed = Split.TRAIN.seed(seed)

    def problem(self, number: int) -> Problem:
        """Problem number `number` of the seed."""
        rng = random.Random(f"level/{self.name}/{self._seed}/{number}")
        (level,) = rng.choices(self._levels, self._weights)
        (language,) = rng.choices(self._languages, self._shares)
        return generate(self.name, self._seed, number, level, wording=Wording.SEEN, language=language)

    def record(self, number: int) -> Record:
        """The record of problem number `number`, or of a conversation around it."""
        problem = self.problem(number)
        rng = random.Random(f"conversation/{self.name}/{self._seed}/{number}")
        if rng.random() >= self._conversations:
            if rng.random() < self._word_noise:
                problem = replace(problem, prompt=with_noise(problem, rng, BUILT_IN_DOMAINS))
            return Record.of(problem)
        return Record.of_conversation(converse(problem, rng, wording=Wording.SEEN))


class RecordSource:
    """At least one record, in a new order in each epoch."""

    def __init__(self, name: str, records: Iterable[Record], seed: int) -> None:
        self.name, self.records = name, tuple(records)
        self._seed = seed
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def record(self, number: int) -> Record:
        """Record number `number`, counted on from epoch to epoch."""
        epoch, place = divmod(number, len(self.records))
        return self.records[self._order(epoch)[place]]

    def part(self, held: bool) -> RecordSource:
        """If `held`, the records of a twentieth of the questions (at least one), chosen by content; else all others. If
        a source has only one question, both parts contain it."""
        by_question = {record.turns: hashlib.sha256(repr(record.turns).encode()).digest() for record in self.records}
        back = set(sorted(by_question, key=by_question.__getitem__)[: max(1, len(by_question) // HELD_SHARE)])
        records = [record for record in self.records if (record.turns in back) is held]
        return RecordSource(self.name, records or self.records, self._seed)

    def _shuffled(self, epoch: int) -> list[int]:
        order = list(range(len(self.records)))
        random.Random(f"order/{self._seed}/{epoch}").shuffle(order)
        return order


class FileSource(RecordSource):
    """The records of a JSONL file.

    Raises `RecordError` for a bad file, and for a file that contains held-out generated problems.
    """

    def __init__(self, path: str | Path, seed: int) -> None:
        super().__init__(str(path), read_training_records(path), seed)


def encode_record(tokenizer: Tokenizer, record: Record, experts: Sequence[str] = BUILT_IN_DOMAINS) -> Document:
    """Encode a record's prompt and response as token ids, with the index of its domain's expert.

    `experts` lists the domains that have an expert, in order.
    """
    prompt, earlier = read_turns(*record.turns)
    tokens, prompt_length = tokenizer.encode_example(prompt, record.response, earlier)
    expert = next(iter(own_experts(record.domain, experts)), -1)
    return Document(tuple(tokens), prompt_length, expert)


def check_sample(sources: Iterable[Source]) -> None:
    """Check the first `CHECKED_PROBLEMS` problems of each domain. Raises `InputError` for an invalid step."""
    for source in sources:
        if isinstance(source, TaskSource):
            for number in range(CHECKED_PROBLEMS):
                source.problem(number).checked()


def sample_texts(sources: Iterable[Source]) -> Iterator[str]:
    """Yield turns, steps and answers of the first records of each source, to train a tokenizer on."""
    for source in sources:
        for record in map(source.record, range(TOKENIZER_SAMPLE_RECORDS)):
            response, (prompt, earlier) = split_response(record.response), read_turns(*record.turns)
            yield from (*chain.from_iterable(earlier), prompt, *response.steps, response.answer)
