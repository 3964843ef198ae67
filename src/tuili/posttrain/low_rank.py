"""Low-rank terms that are added to the weights of a model's layers (LoRA, Hu et al. 2021, arXiv:2106.09685).

Callers that add the terms also train them.

Dimensions: N tokens, R rank, I and O inputs and outputs of a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tuili.model import foreign_linear
from tuili.posttrain.backbone import Backbone

PROJECTIONS = {"self_attn": ("q_proj", "k_proj", "v_proj", "o_proj"), "mlp": ("gate_proj", "up_proj", "down_proj")}
"""The linear layers of a decoder layer, by the block that contains them."""


class _TermFunction(torch.autograd.Function):
    """x Wᵀ + (x Aᵀ) Bᵀ, where A and B learn. The small products are accumulated into the large ones: on a CPU this
    takes two thirds of the time of separate products, and no weights need gradients of their size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_OI: Tensor, a_RI: Tensor, b_OR: Tensor) -> Tensor:
        x_NI, a_RI, b_OR = x.flatten(0, -2), a_RI.to(x.dtype), b_OR.to(x.dtype)
        low_NR = x_NI @ a_RI.T
        out_NO = (x_NI @ weight_OI.T).addmm_(low_NR, b_OR.T)
        ctx.save_for_backward(x_NI, weight_OI, a_RI, b_OR, low_NR)
        return out_NO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        x_NI, weight_OI, a_RI, b_OR, low_NR = ctx.saved_tensors
        (grad,) = gradients
        grad_NO = grad.flatten(0, -2)
        grad_NR = grad_NO @ b_OR
        grad_x = (grad_NO @ weight_OI).addmm_(grad_NR, a_RI).view(*grad.shape[:-1], -1)
        return grad_x, None, (grad_NR.T @ x_NI).float(), (grad_NO.T @ low_NR).float()


class _MergedFunction(torch.autograd.Function):
    """The weights plus their term, as they are stored after merging; the rounding of both has no gradient."""

    @staticmethod
    def forward(ctx: Any, weight_OI: Tensor, a_RI: Tensor, b_OR: Tensor) -> Tensor:
        ctx.save_for_backward(a_RI, b_OR)
        return (weight_OI.double() + _rounded_product(a_RI, b_OR)).to(weight_OI.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, Tensor]:
        a_RI, b_OR = ctx.saved_tensors
        grad_OI = gradients[0].float()
        return None, b_OR.T @ grad_OI, grad_OI @ a_RI.T


class LowRankTerm(nn.Module):
    """A linear layer with fixed weights and a low-rank term that learns.

    rounds: computes in 8 bits, with the sum of weights and term rounded as the native step rounds it.
    """

    def __init__(self, linear: nn.Linear, rank: int, generator: torch.Generator, rounds: bool = False) -> None:
        super().__init__()
        self.linear, self._rounds = linear, rounds
        outputs, inputs = linear.weight.shape
        drawn_RI, device = torch.randn(rank, inputs, generator=generator), linear.weight.device
        self.a_RI = nn.Parameter(drawn_RI.to(device) / math.sqrt(inputs))
        self.b_OR = nn.Parameter(torch.zeros(outputs, rank, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output with the term."""
        if self._rounds:
            out = foreign_linear(x, self.merged())
        else:
            out = _TermFunction.apply(x, self.linear.weight, self.a_RI, self.b_OR)  # type: ignore[no-untyped-call]
        return out if self.linear.bias is None else out + self.linear.bias

    def merged(self) -> Tensor:
        """The weights [O, I] plus `rounded_delta`, in their own numeric type, as they are stored."""
        weight: Tensor = _MergedFunction.apply(self.linear.weight, self.a_RI, self.b_OR)  # type: ignore[no-untyped-call]
        return weight

    def delta(self) -> Tensor:
        """The term that is added to the weights [O, I], float32."""
        return (self.b_OR @ self.a_RI).detach()

    def rounded_delta(self) -> Tensor:
        """The term from factors rounded to bfloat16, float64.

        With that many digits the sums of products are exact except in rare cases: every machine gets the same weights.
        """
        return _rounded_product(self.a_RI.detach(), self.b_OR.detach())


def _rounded_product(a_RI: Tensor, b_OR: Tensor) -> Tensor:
    return b_OR.bfloat16().double() @ a_RI.bfloat16().double()


def add_terms(
    backbone: Backbone, first_layer: int, rank: int, generator: torch.Generator, rounds: bool = False
) -> dict[str, LowRankTerm]:
    """Put terms into the projections of the layers from `first_layer` on; returned by the name of the weights."""
    terms = {}
    for number, layer in enumerate(backbone.layers[first_layer:], start=first_layer):
        for block_name, projections in PROJECTIONS.items():
            block = getattr(layer, block_name)
            for name in projections:
                if isinstance(linear := getattr(block, name, None), nn.Linear):
                    term = LowRankTerm(linear, rank, generator, rounds)
                    setattr(block, name, term)
                    terms[f"model.layers.{number}.{block_name}.{name}.weight"] = term
    return terms


def term_parameters(terms: Mapping[str, LowRankTerm]) -> dict[str, nn.Parameter]:
    """The trained parameters of terms, by the names of the weights and the factor."""
    return {f"{name}.{part}": getattr(term, part) for name, term in terms.items() for part in ("a_RI", "b_OR")}
