"""Rotary position embedding (Su et al. 2021, arXiv 2104.09864): the angles of positions, and the rotation by them.

Dimensions: B rows, T tokens, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotary(position_BT: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [B, T, D] in fp32. `theta` is the base of the wavelengths, in tokens."""
    exponent = torch.arange(0, head_dim, 2, device=position_BT.device, dtype=torch.float32) / head_dim
    angle_BTD = (position_BT[..., None].float() * theta**-exponent).repeat(1, 1, 2)
    return angle_BTD.cos(), angle_BTD.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the pairs (i, i + D/2) of the last dimension. Cosines and sines need only be broadcastable to `x`."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-high, low], dim=-1) * sin
