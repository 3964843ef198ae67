from __future__ import annotations

import torch

from tuili.compress.pruning.kept import Scores, choose
from tuili.compress.pruning.sizes import Sizes


def test_the_parts_of_the_highest_scores_stay_and_of_equal_ones_the_first() -> None:
    scores = Scores(
        neurons=[torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 1.0, 1.0])],
        heads=[torch.tensor([0.5, 4.0])],
        experts=[torch.tensor([1.0, 7.0, 5.0])],
        expert_neurons=[torch.tensor([[9.0, 8.0], [1.0, 2.0], [4.0, 3.0]])],
    )
    kept = choose(scores, Sizes(feed_forward=2, expert=1, experts=2, heads=1))
    assert [neurons.tolist() for neurons in kept.neurons] == [[0, 2], [0, 1]]
    assert [heads.tolist() for heads in kept.heads] == [[1]]
    assert [experts.tolist() for experts in kept.experts] == [[1, 2]]
    assert [neurons.tolist() for neurons in kept.expert_neurons] == [[[1], [0]]]
