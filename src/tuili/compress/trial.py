"""The parts of a run, each of which is tried a little to estimate how long all of it takes.

A run's `Compression` and `plan` define its parts; this module provides their building blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tuili.compress.network import Network
from tuili.compress.parent import HealingData, Parent
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.engine import Numbers
from tuili.eval import right_answers
from tuili.tasks import Problem

Clock = Callable[[], float]
"""Returns seconds."""
TRIED_ANSWERS = 8


@dataclass(frozen=True)
class Part:
    """A part of a run. name: for readers; parts with the same name are reported together. attempt: does a little of it,
    and returns how many times as much the run has to do."""

    name: str
    attempt: Callable[[], float]

    def repeated(self, count: int) -> Part:
        """The part if a run has it this many times."""
        return Part(self.name, lambda: count * self.attempt())


@dataclass(frozen=True)
class Tried:
    """What parts are tried with. student: the model of the last stage, whatever its weights. block: of the recovery;
    also stands for all samples."""

    data: HealingData
    teacher: Network
    student: Network
    block: Block


def times_of(documents: int, block: Block) -> int:
    """How many blocks like this one hold this many documents."""
    return math.ceil(documents / max(1, block.documents))


def sampled(documents: int, block: Block, read: Callable[[Iterable[Block]], object]) -> Part:
    """The part that reads samples. read: gets this one block instead of all."""

    def attempt() -> float:
        read([block])
        return times_of(documents, block)

    return Part("samples", attempt)


def of_each_size(name: str, sizes: Mapping[str, Sequence[int]], attempt: Callable[[str], float]) -> Iterator[Part]:
    """Parts for work that a run does on each matrix; one matrix of each size is tried.

    sizes: by the matrices' names. attempt: as for a `Part`, for the matrix with a name.
    """
    alike = dict[tuple[int, ...], list[str]]()
    for matrix, size in sizes.items():
        alike.setdefault(tuple(size), []).append(matrix)
    for matrices in alike.values():
        yield Part(name, partial(attempt, matrices[0])).repeated(len(matrices))


def finishing(parent: Parent, tried: Tried) -> Part:
    """The part in which the parent finishes the recovered model."""

    def attempt() -> float:
        asked = list[int]()

        def samples(documents: int) -> Iterator[Block]:
            asked.append(documents)
            yield tried.block

        parent.finish(tried.teacher, tried.student, samples, silent())
        return times_of(sum(asked), tried.block)

    return Part(parent.finishes, attempt)


def silent() -> Watch:
    """A watch for trials, which reports nothing."""
    return Watch(lambda line: None)


def seconds_of(parts: Iterable[Part], clock: Clock) -> Mapping[str, float]:
    """The seconds of each part by its name, in the order in which names first appear."""
    found = dict[str, float]()
    for part in parts:
        begun = clock()
        times = part.attempt()
        found[part.name] = found.get(part.name, 0.0) + times * (clock() - begun)
    return found


def answering_seconds(model: Path, problems: Sequence[Problem], clock: Clock, numbers: Numbers = "auto") -> float:
    """The time that a model takes to load and to answer problems, estimated from a few answers."""
    count = min(TRIED_ANSWERS, len(problems))
    some = [problems[number * len(problems) // count] for number in range(count)]
    begun = clock()
    loaded = list[float]()
    right_answers(model, some, lambda done, of: None if done else loaded.append(clock()), numbers)
    answered = clock()
    first = loaded[0] if loaded else begun
    return first - begun + (answered - first) * len(problems) / count
