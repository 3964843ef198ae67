"""Tokens are drawn by their probabilities, and log-probabilities are those of the logits."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tuili.engine.request import Sampling
from tuili.engine.runtime.sampler import Sampler, probabilities, token_logprobs
from tuili.engine.sequence import Sequence, SequenceLimits

LOGITS = np.log(np.array([0.1, 0.4, 0.05, 0.3, 0.15], np.float32))


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(temperature=1), [0.1, 0.4, 0.05, 0.3, 0.15]),
        (Sampling(temperature=1, top_k=2), [0, 4 / 7, 0, 3 / 7, 0]),
        (Sampling(temperature=1, top_p=0.69), [0, 4 / 7, 0, 3 / 7, 0]),
        (Sampling(temperature=1, top_p=0.71), [0, 8 / 17, 0, 6 / 17, 3 / 17]),
        (Sampling(temperature=1, top_p=1e-9), [0, 1, 0, 0, 0]),
        (Sampling(temperature=0.5), [0.01 / 0.285, 0.16 / 0.285, 0.0025 / 0.285, 0.09 / 0.285, 0.0225 / 0.285]),
        (Sampling(temperature=1e-300), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1.2e-308), [0, 1, 0, 0, 0]),
    ],
)
def test_probabilities(sampling: Sampling, expected: list[float]) -> None:
    np.testing.assert_allclose(probabilities(LOGITS, sampling), expected, atol=1e-6)


def test_tokens_are_drawn_by_their_probabilities() -> None:
    sampler, sequence = Sampler(), Sequence([1], SequenceLimits(), Sampling(temperature=1, seed=5, top_k=3))
    drawn = [sampler.draw(LOGITS, sequence) for _ in range(4000)]
    counts = Counter(drawn)
    for token, share in ((1, 8 / 17), (3, 6 / 17), (4, 3 / 17)):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)
    sampler.forget(sequence)
    assert [sampler.draw(LOGITS, sequence) for _ in range(99)] == drawn[:99], "a seed begins anew"


def test_logits_that_are_no_numbers_draw_nothing() -> None:
    sequence = Sequence([1], SequenceLimits(), Sampling(temperature=1))
    for broken in (np.nan, np.inf):
        assert Sampler().draw(np.array([0.0, broken], np.float32), sequence) is None


def test_logprobs_and_the_likeliest_tokens() -> None:
    (told,) = token_logprobs(LOGITS[None] + np.float32(7), [2], 3)
    assert told.chosen == pytest.approx(np.log(0.05), abs=1e-6)
    assert [token for token, _ in told.top] == [1, 3, 4]
    assert [logprob for _, logprob in told.top] == pytest.approx(np.log([0.4, 0.3, 0.15]), abs=1e-6)
    assert token_logprobs(LOGITS[None], [0], 0)[0].top == ()
    alike = np.zeros((1, 6), np.float32)
    assert [token for token, _ in token_logprobs(alike, [0], 4)[0].top] == [0, 1, 2, 3], "of equal ones the lower id"
    assert len(token_logprobs(LOGITS[None], [0], 20)[0].top) == 5
