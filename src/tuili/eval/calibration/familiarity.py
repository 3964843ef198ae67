"""What a model's training has read, from its own data: the file by which the engine tells unfamiliar prompts.

A way to ask that training has not read is told from a question about something else by leaving out: forms of problems
fall into `FOLDS`, and the scores of the file are those of prompts that were scored as if training had not read their
own fold and the `LEFT_OUT` - 1 that follow it. What is done with a score is left to `engine.promises.familiarity`.

Dimensions: N pairs and triples, R records, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tuili.data import Source
from tuili.steps import read_turns
from tuili.store import FamiliarityFile, NgramFilter, Ngrams, Tokenizer, ngrams_of, novelty

FOLDS = 8
LEFT_OUT = 4
LEVEL = 0.02
"""The share of prompts in new forms that are taken for unfamiliar."""
READ_RECORDS, SCORED_RECORDS = 1500, 150
"""Records of each source that the filter is made from, and others that are scored."""


def learn_familiarity(
    tokenizer: Tokenizer,
    sources: Sequence[Source],
    description: str,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> FamiliarityFile:
    """The pairs and triples of tokens of these sources, and the scores of prompts in forms that were left out.

    Args:
        description: the sources in words, for readers of the file.
        progress: is called with (read, total) records.
    """
    class_V, total = token_classes(tokenizer), len(sources) * (READ_RECORDS + SCORED_RECORDS)
    keys, folds = list[NDArray[np.uint64]](), list[NDArray[np.uint8]]()
    scored_prompts = list[tuple[Ngrams, int]]()
    for place, source in enumerate(sources):
        for number in range(READ_RECORDS + SCORED_RECORDS):
            record = source.record(number)
            ngrams = ngrams_of(tokenizer.encode_prompt(*read_turns(*record.turns)), class_V)
            fold = crc32(record.form.encode()) % FOLDS
            if number >= READ_RECORDS:
                scored_prompts.append((ngrams, fold))
            else:
                keys += ngrams
                folds += [np.full(len(key_N), 1 << fold, np.uint8) for key_N in ngrams]
        progress((place + 1) * total // len(sources), total)
    key_N, fold_N = _merged(np.concatenate(keys), np.concatenate(folds))
    score_R = [_score(ngrams, key_N, fold_N & ~_left_out(fold)) for ngrams, fold in scored_prompts]
    return FamiliarityFile(
        NgramFilter.of(key_N).filter_B, class_V, np.sort(np.array(score_R, np.float32)), LEVEL, description
    )


def token_classes(tokenizer: Tokenizer) -> NDArray[np.uint32]:
    """The class of each token: 0 for numbers, another for each other token."""
    texts = (tokenizer.token_bytes(token).strip() for token in range(tokenizer.size))
    return np.array([0 if text.isdigit() else token + 1 for token, text in enumerate(texts)], np.uint32)


def _merged(key_N: NDArray[np.uint64], fold_N: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """The different keys, rising, and the folds that each stands in, as bits."""
    order_N = np.argsort(key_N)
    key_N, first_N = np.unique(key_N[order_N], return_index=True)
    return key_N, np.bitwise_or.reduceat(fold_N[order_N], first_N)


def _left_out(fold: int) -> np.uint8:
    """The folds, as bits, that are left out for a prompt of a fold."""
    return np.uint8(sum(1 << (fold + further) % FOLDS for further in range(LEFT_OUT)))


def _score(ngrams: Ngrams, key_N: NDArray[np.uint64], fold_N: NDArray[np.uint8]) -> float:
    """The score of a prompt where training has read only what stands in these folds."""

    def is_known(asked_N: NDArray[np.uint64]) -> NDArray[np.bool_]:
        place_N = np.minimum(np.searchsorted(key_N, asked_N), len(key_N) - 1)
        known_N: NDArray[np.bool_] = (key_N[place_N] == asked_N) & (fold_N[place_N] > 0)
        return known_N

    return novelty(ngrams, is_known)
