from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.model.conftest import tiny_model
from tuili.model.kernels import Fusable, compiled, norm_and_rotate, output_dtype, rms_norm, set_kernels


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


def test_a_fused_model_gives_the_same_loss_and_gradients() -> None:
    """So every compiled kernel equals the plain one. The second row ends in filler."""
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
