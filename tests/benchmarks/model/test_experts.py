"""The contenders of the expert benchmark do the same work: equal sizes, equal results, all gradients."""

from __future__ import annotations

import pytest
import torch

from benchmarks.model.experts import contenders, forward_backward, measure
from tuili.model import preset

CONFIG = {"hidden_size": 32, "moe_intermediate_size": 16, "num_experts": 4}


@pytest.fixture(autouse=True)
def no_compiler(monkeypatch):
    monkeypatch.setattr("benchmarks.model.experts.can_compile", lambda *_: False)


def test_dense_is_as_large_as_the_experts_of_one_token():
    config = preset("nano", **CONFIG)
    blocks = contenders(config)
    active = {
        name: sum(p.numel() for p in blocks[name].experts.parameters()) * config.num_experts_per_tok
        for name in ("ours", "ours_by_torch", "loop", "mixtral_eager", "mixtral_grouped_mm")
    }
    dense = sum(p.numel() for p in blocks["dense"].parameters())
    assert set(active.values()) == {dense * config.num_experts}


def test_ours_and_its_twins_give_the_same_gradients():
    blocks = contenders(preset("nano", **CONFIG))
    inputs = torch.randn(1, 1, 200, 32)
    gradients = []
    for name in ("ours", "ours_by_torch", "loop"):
        torch.manual_seed(0)
        gradients.append(forward_backward(blocks[name], inputs, torch.float32)())
    assert len(gradients[0]) == 4  # of the tokens, the router and both expert tensors
    for ours, *twins in zip(*gradients, strict=True):
        for twin in twins:
            torch.testing.assert_close(ours, twin)


def test_the_forms_of_mixtral_agree_and_no_contender_is_idle():
    blocks = contenders(preset("nano", **CONFIG))
    blocks["mixtral_grouped_mm"].load_state_dict(blocks["mixtral_eager"].state_dict())
    inputs = torch.randn(1, 1, 64, 32)
    outputs = {name: block(inputs[0]) for name, block in blocks.items()}
    torch.testing.assert_close(outputs["mixtral_eager"], outputs["mixtral_grouped_mm"], atol=1e-5, rtol=1e-4)
    for block in blocks.values():
        assert all(gradient.abs().sum() > 0 for gradient in forward_backward(block, inputs, torch.bfloat16)())


def test_every_format_and_contender_is_measured():
    config, figures = measure(sizes=("nano",), tokens=(32,), runs=2, warmup=0)
    names = ["dense", "ours", "ours_by_torch", "loop", "mixtral_eager", "mixtral_grouped_mm"]
    expected = {f"nano_{d}_32_{name}" for d in ("fp32", "bf16") for name in names}
    ratios = {f"{key}_over_dense" for key in expected if not key.endswith("dense")}
    assert set(figures) == expected | ratios
    assert {len(figure.runs) for figure in figures.values()} == {2}
    assert config["tokens"] == [32]
