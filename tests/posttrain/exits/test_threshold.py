"""The threshold is the lowest whose loss is tolerated."""

from __future__ import annotations

import torch

from tuili.posttrain.exits.policy import Reading
from tuili.posttrain.exits.threshold import choose_threshold

TOKENS = 1000


def reading(wrong: int, depth: int) -> Reading:
    token_N = torch.zeros(TOKENS, dtype=torch.long)
    token_N[:wrong] = 1
    return Reading(torch.full((TOKENS,), depth), token_N, torch.zeros(TOKENS, dtype=torch.long))


def test_the_lowest_threshold_that_is_tolerated_is_found() -> None:
    """Each point of the threshold below 0.9 costs a token of a thousand, a tenth of a point."""
    full = reading(100, 30)
    cost = {}

    def read_at(threshold: float) -> Reading:
        cost[threshold] = max(0, round((0.9 - threshold) * 100))
        return reading(100 + cost[threshold], 20)

    chosen, tried = choose_threshold(read_at, full, tolerated=0.5, tries=9)
    assert 0.843 < chosen < 0.86
    assert [one.threshold for one in tried] == sorted(cost)
    assert all(abs(one.loss - cost[one.threshold] / 10) < 1e-9 for one in tried)
    assert all(one.mean_depth == 20 for one in tried)


def test_where_nothing_is_tolerated_no_token_leaves() -> None:
    chosen, tried = choose_threshold(lambda threshold: reading(200, 20), reading(100, 30), tolerated=0.5, tries=3)
    assert chosen == 1
    assert len(tried) == 3
