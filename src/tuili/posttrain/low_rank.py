"""Terms of low rank that are added to the weights of a model's layers (LoRA, Hu et al. 2021, arXiv:2106.09685).

How they learn is left to those who put them there.

Dimensions: R rank, I and O inputs and outputs of a matrix.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuili.posttrain.backbone import Backbone

PROJECTIONS = {"self_attn": ("q_proj", "k_proj", "v_proj", "o_proj"), "mlp": ("gate_proj", "up_proj", "down_proj")}
"""The linear layers of a decoder's layer, by the block that they are in."""


class LowRankTerm(nn.Module):
    """A linear layer whose weights get a term of low rank that learns.

    The term is added to the weights, not to the output: small products of many tokens cost a CPU more.
    """

    def __init__(self, linear: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = linear
        outputs, inputs = linear.weight.shape
        self.a_RI = nn.Parameter(torch.randn(rank, inputs, generator=generator) / math.sqrt(inputs))
        self.b_OR = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output with the term."""
        weight_OI = self.linear.weight
        return functional.linear(x, weight_OI + (self.b_OR @ self.a_RI).to(weight_OI.dtype), self.linear.bias)

    def delta(self) -> Tensor:
        """What is added to the weights [O, I], float32."""
        return (self.b_OR @ self.a_RI).detach()

    def rounded_delta(self) -> Tensor:
        """What is added where both factors are kept in bfloat16, float64.

        So many digits make the sums of products exact but for rare cases: every machine gets the same weights.
        """
        return (self.b_OR.bfloat16().double() @ self.a_RI.bfloat16().double()).detach()


def add_terms(backbone: Backbone, first_layer: int, rank: int, generator: torch.Generator) -> dict[str, LowRankTerm]:
    """Put terms into the projections of the layers from `first_layer` on; returned by the name of the weights."""
    terms = {}
    for number, layer in enumerate(backbone.layers[first_layer:], start=first_layer):
        for block_name, projections in PROJECTIONS.items():
            block = getattr(layer, block_name)
            for name in projections:
                if isinstance(linear := getattr(block, name, None), nn.Linear):
                    term = LowRankTerm(linear, rank, generator)
                    setattr(block, name, term)
                    terms[f"model.layers.{number}.{block_name}.{name}.weight"] = term
    return terms
