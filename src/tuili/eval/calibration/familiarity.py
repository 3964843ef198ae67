"""What a model's training has read, from its own data: the file by which the engine tells unfamiliar prompts.

The p-values of the file are those of references: prompts that are scored as if some of what was read had not been.
Forms of problems fall into `FOLDS`. For a problem of training, its own fold is hidden and the `HIDDEN` - 1 that follow
it, so that a new way to ask something known is told from a question about something else. Requests that come as one's
own prompts do need no other ways to ask: for one of these, its own fold alone is hidden. What is done with a score is
left to `engine.promises.familiarity`.

Dimensions: N pairs and triples, R references, V vocabulary.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tuili.data import Source
from tuili.engine import dialect_of
from tuili.steps import Turns
from tuili.store import (
    AnyTokenizer,
    FamiliarityFile,
    NgramFilter,
    Ngrams,
    ngrams_of,
    novelty,
    shared_length,
    without_ends,
)

FOLDS = 8
HIDDEN = 5
LEVEL = 0.02
"""The share of prompts in new forms that are taken for unfamiliar."""
MIN_REFERENCES = 50
"""With fewer references no p-value is below the level."""
READ_RECORDS, SCORED_RECORDS = 1500, 150
"""Records of each source that the filter is made from, and further ones, of which those of one turn are references."""


class _Prompt(NamedTuple):
    """The pairs and triples of a prompt, and the fold of its form."""

    ngrams: Ngrams
    fold: int


def learn_familiarity(
    tokenizer: AnyTokenizer,
    sources: Sequence[Source],
    description: str,
    progress: Callable[[int, int], None] = lambda *_: None,
    own: Sequence[str] = (),
    trained: FamiliarityFile | None = None,
) -> FamiliarityFile | None:
    """The pairs and triples of tokens of these sources, and the scores of prompts as if they had not been read.

    None where there are too few prompts to tell an unfamiliar one.

    Args:
        description: what is read in words, for readers of the file.
        progress: is called with (read, total) records.
        own: further prompts, which requests will be like. If there are enough of them, they alone are references.
        trained: a former file that knows what training has read, and has references of it, in place of the sources.
    """
    dialect = dialect_of(tokenizer)
    class_V, total = token_classes(tokenizer), len(sources) * (READ_RECORDS + SCORED_RECORDS)
    ends = common_ends(tokenizer)
    read, scored = list[_Prompt](), list[_Prompt]()

    def prompt_of(turns: Turns, form: str) -> _Prompt:
        ids = without_ends(dialect.encode(turns, sys.maxsize), *ends)
        return _Prompt(ngrams_of(ids, class_V), crc32(form.encode()) % FOLDS)

    for place, source in enumerate(sources):
        for number in range(READ_RECORDS + SCORED_RECORDS):
            record = source.record(number)
            if number < READ_RECORDS:
                read.append(prompt_of(record.turns, record.form))
            elif not record.messages:  # instructions that were read would make a new way to ask look less new
                scored.append(prompt_of(record.turns, record.form))
        progress((place + 1) * total // len(sources), total)
    mine = [prompt_of(Turns.of(prompt), prompt) for prompt in own]
    former = NgramFilter(np.zeros(1, np.uint8) if trained is None else trained.filter_B)
    training_T = _scores(scored, former, _keys(read), HIDDEN) if trained is None else trained.training_T
    training_T = np.zeros(0, np.float32) if training_T is None else training_T
    score_N = _scores(mine, former, _keys([*read, *mine]), 1)
    if len(mine) < MIN_REFERENCES:
        score_N = np.sort(np.concatenate([score_N, training_T]))
    if len(score_N) < MIN_REFERENCES:
        return None
    # What every prompt has is known as well, for prompts of which more than the question is scored.
    frame = _Prompt(ngrams_of([*ends[0], *ends[1]], class_V), 0)
    filter_B = NgramFilter.of(_keys([*read, frame])[0]).filter_B if trained is None else trained.filter_B
    sample_C = NgramFilter.of(_keys(mine)[0]).filter_B if mine else None
    references_T = training_T if len(training_T) else None
    return FamiliarityFile(filter_B, class_V, score_N, LEVEL, description, *ends, sample_C, references_T)


def common_ends(tokenizer: AnyTokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that the prompts of all questions begin with, and those that they end with, without the one next to
    the question on either side: a question of a single token has pairs, too.
    """
    dialect = dialect_of(tokenizer)
    one, other = (dialect.encode(Turns(text), sys.maxsize) for text in ("a", "1"))
    before, after = (max(0, shared_length(a, b) - 1) for a, b in ((one, other), (one[::-1], other[::-1])))
    return tuple(one[:before]), tuple(one[len(one) - after :])


def token_classes(tokenizer: AnyTokenizer) -> NDArray[np.uint32]:
    """The class of each token: 0 for numbers, another for each other token."""
    texts = (tokenizer.token_bytes(token).strip() for token in range(tokenizer.size))
    return np.array([0 if text.isdigit() else token + 1 for token, text in enumerate(texts)], np.uint32)


def _keys(read: Sequence[_Prompt]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """The different pairs and triples of these prompts, rising, and the folds that each stands in, as bits."""
    parts = [(key_N, _bits(one.fold, 1)) for one in read for key_N in one.ngrams]
    key_N = np.concatenate([np.zeros(0, np.uint64), *(part_N for part_N, _ in parts)])
    fold_N = np.concatenate([np.zeros(0, np.uint8), *(np.full(len(part_N), bits) for part_N, bits in parts)])
    order_N = np.argsort(key_N)
    key_N = key_N[order_N]
    first_N = np.flatnonzero(np.append(True, key_N[1:] != key_N[:-1])[: len(key_N)])
    return key_N[first_N], np.bitwise_or.reduceat(fold_N[order_N], first_N) if len(key_N) else fold_N


def _bits(fold: int, count: int) -> np.uint8:
    """So many folds from this one on, as bits."""
    return np.uint8(sum(1 << (fold + further) % FOLDS for further in range(count)))


def _scores(
    prompts: Sequence[_Prompt],
    former: NgramFilter,
    keys: tuple[NDArray[np.uint64], NDArray[np.uint8]],
    hidden: int,
) -> NDArray[np.float32]:
    """The scores of prompts, rising: each as if all was read but so many folds from its own on.

    Args:
        keys: the pairs and triples that are read now, and their folds. former: knows what was read before.
    """
    key_N, fold_N = keys

    def score(prompt: _Prompt) -> float:
        seen_N = fold_N & ~_bits(prompt.fold, hidden)

        def is_known(asked_N: NDArray[np.uint64]) -> NDArray[np.bool_]:
            place_N = np.minimum(np.searchsorted(key_N, asked_N), len(key_N) - 1)
            known_N: NDArray[np.bool_] = (key_N[place_N] == asked_N) & (seen_N[place_N] > 0)
            return known_N | former.knows(asked_N)

        return novelty(prompt.ngrams, is_known)

    return np.sort(np.array([score(prompt) for prompt in prompts], np.float32))
