"""Questions of files as the problems of a verifier: which are for training, validation and test.

How files are read is left to `tuili.eval`, what is done with the problems to `own` and `imported`.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from tuili.data import MULTIPLIED_SOURCE, masked_question, original_id
from tuili.errors import InputError, TooFew
from tuili.eval import own_problems
from tuili.posttrain.verifier.recipe import ChainCounts, VerifierTrainingConfig
from tuili.store import AnyTokenizer
from tuili.tasks import Problem, Split


def problems_in_splits(
    files: Sequence[Path], tokenizer: AnyTokenizer, context: int, seed: int
) -> Mapping[Split, list[Problem]]:
    """The questions of all files, in random order.

    A question is in a split by what it asks, its numbers left out; what was made of a record is in the record's own.
    Raises `RecordError` for a line that is no question or does not fit the context, and `TooFew` where a split has no
    question.
    """
    splits: dict[Split, list[Problem]] = {split: [] for split in Split}
    group_of: dict[str, str] = {}
    problems_of = {file: own_problems(file, tokenizer, context) for file in files}
    originals = {one.id for known in problems_of.values() for one in known if one.source != MULTIPLIED_SOURCE}
    for file in files:
        for problem in problems_of[file]:
            if problem.earlier:
                raise InputError(f"{file} has questions with earlier turns: a verifier learns from those without any")
            group = group_of.setdefault(masked_question(problem.prompt), _original(problem.id, originals))
            splits[Split.of_fingerprint(hashlib.sha256(group.encode()).digest())].append(problem)
    for split, problems in splits.items():
        if not problems:
            raise TooFew(f"{', '.join(map(str, files))}: no question is left for {split}: give more of them")
        random.Random(f"{seed}/{split}").shuffle(problems)
    return splits


def _original(name: str, originals: Collection[str]) -> str:
    """The `id` of the record that one was multiplied from, or its own: `/x3` may also stand in that of an original."""
    while name not in originals and original_id(name) != name:
        name = name.rpartition("/x")[0]
    return name


def problems_of_set(
    known: Sequence[Problem], number: int, counts: ChainCounts, config: VerifierTrainingConfig
) -> list[Problem]:
    """Those for a round, 0 for the first chains. Where the questions are used up, they come again."""
    begin = config.first.problems + (number - 1) * config.attack.problems if number else 0
    return [known[(begin + place) % len(known)] for place in range(min(counts.problems, len(known)))]
