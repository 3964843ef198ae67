"""The observation of experts and heads is what the layers did."""

from __future__ import annotations

import pytest
import torch

from benchmarks.harness.tiny import tiny_model
from tuili.engine.runtime.torch.probe import active_share, observe


def test_heads_are_active_if_their_output_is_large_enough() -> None:
    read_BTX = torch.tensor([[[3.0, 4.0, 0.0, 0.49], [1.0, 0.0, 0.0, 1.0]]])  # two heads of two: 5 and 0.49, 1 and 1
    assert active_share(read_BTX, 2) == pytest.approx((0.5 + 1.0) / 2)
    assert active_share(torch.zeros(1, 3, 4), 2) == 0.0


def test_every_layer_is_observed_and_the_model_is_unchanged() -> None:
    model, _ = tiny_model()
    ids = list(range(10, 40))
    before = model.eval()(torch.tensor([ids])).logits
    observation = observe(model, ids)
    assert len(observation.active_heads) == 4
    assert all(0 <= share <= 1 for share in observation.active_heads)
    assert [sum(tokens) for tokens in observation.expert_tokens] == [2 * len(ids)] * 3
    assert torch.equal(model(torch.tensor([ids])).logits, before)
    assert all(router.recording is None for router in model.routers())
