from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.model.conftest import tiny_model
from tuili.model.attention import blend_weights
from tuili.model.kernels import (
    Fusable,
    compiled,
    convolve,
    gated_silu,
    norm_and_rotate,
    output_dtype,
    rms_norm,
    set_kernels,
    token_loss,
    weighted_gated_silu,
)


def angles() -> tuple[Tensor, Tensor]:
    angle = torch.arange(12.0).view(1, 6, 2).repeat(1, 1, 2)
    return angle.cos(), angle.sin()


def test_the_norm_equals_torchs() -> None:
    x, weight = torch.randn(3, 8), torch.rand(8)
    torch.testing.assert_close(rms_norm(x, weight, 1e-6, torch.float32), F.rms_norm(x, (8,), weight, 1e-6))


def test_rotation_keeps_lengths_and_depends_on_distance_only() -> None:
    cos, sin = angles()
    same = torch.randn(1, 1, 1, 4).expand(1, 6, 1, 4)
    turned = norm_and_rotate(same, torch.ones(4), cos, sin, 0.0)[0, 0]
    torch.testing.assert_close(turned.norm(dim=-1), torch.full((6,), 2.0))
    products = turned @ turned.T
    torch.testing.assert_close(products.diagonal(1), products[0, 1].expand(5))


def test_the_norm_gives_what_the_next_product_takes() -> None:
    x = torch.randn(2, 3)
    assert output_dtype(x) is torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert output_dtype(x) is torch.bfloat16


def test_only_a_training_model_is_fused() -> None:
    model = tiny_model()
    set_kernels(model, fused=True)
    parts = [module for module in model.modules() if isinstance(module, Fusable)]
    assert len(parts) > 10
    assert all(part.kernel(rms_norm) is rms_norm for part in parts)
    model.train()
    assert all(part.kernel(rms_norm) is compiled(rms_norm) for part in parts)
    set_kernels(model, fused=False)
    assert all(part.kernel(rms_norm) is rms_norm for part in parts)


def chains() -> dict[Callable[..., Any], tuple[Any, ...]]:
    """Every chain, and what it may be given: more numbers than a vector has, and a rest."""
    torch.manual_seed(0)
    draw = partial(torch.randn, requires_grad=True)
    angle_BTD, causal_TS = torch.rand(2, 7, 40), torch.ones(7, 7).tril()
    chosen_BHTS = causal_TS * (torch.rand(2, 3, 7, 7) < 0.5)
    scores, masks = (draw(2, 3, 7, 7), draw(2, 3, 7, 2)), (causal_TS, causal_TS.triu(-2), chosen_BHTS, torch.ones(7, 2))
    return {
        rms_norm: (draw(2, 7, 40), draw(40), 1e-6, torch.float32),
        norm_and_rotate: (draw(2, 7, 3, 40), draw(40), angle_BTD.cos(), angle_BTD.sin(), 1e-6),
        blend_weights: (*scores, *masks, draw(2, 3, 7, 3)),
        gated_silu: (draw(2, 7, 80),),
        weighted_gated_silu: (draw(14, 80), draw(14, 1)),
        convolve: (draw(2, 7, 40), draw(3, 40), torch.arange(14).view(2, 7) % 5),
        token_loss: (draw(14, 50), torch.randint(50, (14,))),
    }


@pytest.mark.native
def test_compiled_chains_and_their_gradients_equal_plain_ones() -> None:
    """All in one graph, so that the compiler is called twice."""
    given = chains()

    def all_chains(*inputs: tuple[Any, ...]) -> list[Tensor]:
        outputs = list[Tensor]()
        for chain, own in zip(given, inputs, strict=True):
            output = chain(*own)
            outputs += output if isinstance(output, tuple) else [output]
        return outputs

    leaves = [x for own in given.values() for x in own if isinstance(x, Tensor) and x.requires_grad]
    results = []
    for form in (all_chains, compiled(all_chains)):
        outputs = form(*given.values())
        loss = torch.stack([output.square().sum() for output in outputs]).sum()
        results.append([*outputs, *torch.autograd.grad(loss, leaves)])
    assert len(results[0]) == 9 + len(leaves)
    for plain, fused in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.native
def test_a_fused_model_gives_the_same_loss_and_gradients() -> None:
    """Each chain compiled for itself, as it stands in the model. The second row ends in filler."""
    model = tiny_model().train()
    ids = torch.arange(5, 45)[None].repeat(2, 1)
    real = torch.ones(2, 40, dtype=torch.bool)
    real[1, 12:] = False
    gradients = []
    for fused in (False, True):
        set_kernels(model, fused=fused)
        model.zero_grad()
        model(ids, attention_mask=real, labels=ids.where(real, -100), use_cache=False).loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, plain in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], plain, rtol=1e-3, atol=1e-4, msg=name)
