"""A basis of inputs that all experts share is multiplied once for each token, however many experts it has."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.model.factors import factorised
from tuili.engine.runtime.torch import experts
from tuili.engine.runtime.torch.experts import LeanExperts
from tuili.engine.runtime.torch.int8_linear import Weight, linear
from tuili.model import LowRankExperts


def test_a_shared_basis_reads_each_token_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = factorised()
    moe = model.model.reasoning[0].moe.eval()
    assert isinstance(moe.experts, LowRankExperts)
    basis, seen = moe.experts.gate_up_proj.factors[0], list[int]()

    def counting(rows: Tensor, weight: Weight) -> Tensor:
        if isinstance(weight, Tensor) and weight.shape == basis.shape:
            seen.append(len(rows))
        return linear(rows, weight)

    lean = LeanExperts(moe, lambda matrix: matrix)
    monkeypatch.setattr(experts, "linear", counting)
    hidden = torch.randn(7, model.config.hidden_size)
    with torch.inference_mode():
        chosen = lean.route(hidden)
        torch.testing.assert_close(lean(hidden, *chosen), moe.experts(hidden, *chosen), rtol=1e-4, atol=1e-5)
    assert seen == [7]
