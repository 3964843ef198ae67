"""Builds the file by which the engine recognises unfamiliar prompts, from the data that a model was trained on.

The p-values of the file come from references: prompts that are scored as if part of the data had not been read. The
forms of problems are divided into `FOLDS`. For a training problem, its own fold and the `HIDDEN` - 1 following ones are
hidden, so that a new way to ask something known is distinguished from a question about something else. Requests like
the user's own prompts need no other ways to ask: for such a prompt, only its own fold is hidden.
`engine.promises.familiarity` uses the scores.

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
"""The share of prompts in new forms that are classified as unfamiliar."""
MIN_REFERENCES = 50
"""With fewer references, no p-value is below the level."""
READ_RECORDS, SCORED_RECORDS = 1500, 150
"""Records per source from which the filter is made, and further ones whose single-turn records are references."""


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
    """The pairs and triples of tokens in these sources, and the scores of prompts as if they had not been read.

    None if there are too few prompts to recognise an unfamiliar one.

    Args:
        description: describes in words what is read, for human readers of the file.
        progress: called with (read, total) records.
        own: further prompts that resemble future requests. If there are enough of them, only they are references.
        trained: an earlier file that replaces the sources: it knows what training has read, and has its references.
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
            elif not record.messages:  # known instructions would make a new way to ask look less new
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
    # The frame of every prompt is also known, for prompts of which more than the question is scored.
    frame = _Prompt(ngrams_of([*ends[0], *ends[1]], class_V), 0)
    filter_B = NgramFilter.of(_keys([*read, frame])[0]).filter_B if trained is None else trained.filter_B
    sample_C = NgramFilter.of(_keys(mine)[0]).filter_B if mine else None
    references_T = training_T if len(training_T) else None
    return FamiliarityFile(filter_B, class_V, score_N, LEVEL, description, *ends, sample_C, references_T)


def common_ends(tokenizer: AnyTokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens with which the prompts of all questions begin, and those with which they end, except the token next to
    the question on either side, so that even a question of a single token has pairs.
    """
    dialect = dialect_of(tokenizer)
    one, other = (dialect.encode(Turns(text), sys.maxsize) for text in ("a", "1"))
    before, after = (max(0, shared_length(a, b) - 1) for a, b in ((one, other), (one[::-1], other[::-1])))
    return tuple(one[:before]), tuple(one[len(one) - after :])


def token_classes(tokenizer: AnyTokenizer) -> NDArray[np.uint32]:
    """The class of each token: 0 for numbers, a class of its own for each other token."""
    texts = (tokenizer.token_bytes(token).strip() for token in range(tokenizer.size))
    return np.array([0 if text.isdigit() else token + 1 for token, text in enumerate(texts)], np.uint32)


def _keys(read: Sequence[_Prompt]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """The distinct pairs and triples of these prompts in ascending order, and the folds of each, as bits."""
    parts = [(key_N, _bits(one.fold, 1)) for one in read for key_N in one.ngrams]
    key_N = np.concatenate([np.zeros(0, np.uint64), *(part_N for part_N, _ in parts)])
    fold_N = np.concatenate([np.zeros(0, np.uint8), *(np.full(len(part_N), bits) for part_N, bits in parts)])
    order_N = np.argsort(key_N)
    key_N = key_N[order_N]
    first_N = np.flatnonzero(np.append(True, key_N[1:] != key_N[:-1])[: len(key_N)])
    return key_N[first_N], np.bitwise_or.reduceat(fold_N[order_N], first_N) if len(key_N) else fold_N


def _bits(fold: int, count: int) -> np.uint8:
    """`count` folds, starting with this one, as bits."""
    return np.uint8(sum(1 << (fold + further) % FOLDS for further in range(count)))


def _scores(
    prompts: Sequence[_Prompt],
    former: NgramFilter,
    keys: tuple[NDArray[np.uint64], NDArray[np.uint8]],
    hidden: int,
) -> NDArray[np.float32]:
    """The scores of prompts in ascending order, each as if `hidden` folds, starting with its own, had not been read.

    Args:
        keys: the pairs and triples that are read now, and their folds. former: knows what was read earlier.
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
