"""Questions from files as the problems of a verifier: assigns them to training, validation and test.

`tuili.eval` reads the files, and `own` and `imported` use the problems.
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
    """The questions of all files, shuffled.

    What a question asks, without its numbers, decides its split; what was made from a record is in the record's split.
    Raises `RecordError` for a line that is not a question or does not fit the context, and `TooFew` if a split has no
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
    """The `id` of the record that one was multiplied from, or its own; an original's `id` may contain `/x3` too."""
    while name not in originals and original_id(name) != name:
        name = name.rpartition("/x")[0]
    return name


def problems_of_set(
    known: Sequence[Problem], number: int, counts: ChainCounts, config: VerifierTrainingConfig
) -> list[Problem]:
    """The problems for a round, 0 for the first chains. When the questions are used up, they repeat."""
    begin = config.first.problems + (number - 1) * config.attack.problems if number else 0
    return [known[(begin + place) % len(known)] for place in range(min(counts.problems, len(known)))]
