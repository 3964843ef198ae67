"""What becomes of DDP's buckets where one of them cannot be averaged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from tuili.train.dist.gradients.baselines import PlainAverage
from tuili.train.dist.gradients.hooks import OrderedHook
from tuili.train.dist.overlap.lanes import Lane


@pytest.mark.parametrize("beside", [False, True])
def test_behind_a_bucket_that_has_failed_nothing_more_is_sent(beside: bool) -> None:
    """Other processes may be in the middle of its exchange: what follows would be taken for a part of that."""
    asked, weight = list[str](), nn.Parameter(torch.zeros(2))

    class Failing(PlainAverage):
        def average(self, tensor: Tensor, name: str) -> None:
            asked.append(name)
            raise MemoryError("no room for a bucket")

    model = cast(Any, SimpleNamespace(module=nn.ParameterDict({"weight": weight})))
    lane = Lane("gradients", torch.device("cpu")) if beside else None
    hook = OrderedHook(model, Failing(cast(Any, None)), lane, None)
    numbers = torch.ones(2)
    buckets = [
        SimpleNamespace(index=lambda at=at: at, buffer=lambda: numbers, parameters=lambda: [weight],
                        gradients=lambda: [numbers])
        for at in range(2)
    ]  # fmt: skip
    ends = [hook.start(None, bucket) for bucket in buckets]
    for end in ends:
        with pytest.raises(MemoryError, match="no room for a bucket"):
            end.wait()
    hook.close()
    assert asked == ["0/weight/weight/2"]
