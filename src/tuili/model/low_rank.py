"""Matrices stored as low-rank factors: W = outer · inner, and for experts W_e = outer · core_e · inner.

`TuiliConfig.ranks` names the matrices of a network that are stored as factors, and their ranks. `tuili.compress`
finds the factors.

Dimensions: N tokens, Y sorted rows, k choices of each token, E experts, D hidden size, F expert size, I and O inputs
and outputs of a matrix, R rank, S and R of shared bases.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuili.model.fake_quantization import Roundable, rounded_products
from tuili.model.grouped import Sorting, grouped_linear, sort_rows, sum_choices
from tuili.model.kernels import Fusable, gated_silu, output_dtype, weighted_gated_silu
from tuili.model.layers import Projection
from tuili.store import ModelShape, Rank, factor_shapes, matrix_shapes

STACKS = ("gate_up_proj", "down_proj")
"""The matrices of a layer's experts."""


class LowRankProjection(nn.Module):
    """A linear layer without bias, as two linear layers in sequence."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.inner, self.outer = Projection(inputs, rank), Projection(rank, outputs)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.outer(self.inner(x))
        return output


class ExpertMatrices(nn.Module):
    """The matrices [O, I] of all experts as factors: `inner` [E, R, I] and `outer` [E, O, R], or with shared bases,
    `inner` [R, I], `core` [E, S, R] and `outer` [O, S]."""

    def __init__(self, sizes: tuple[int, ...], rank: Rank) -> None:
        super().__init__()
        for name, shape in factor_shapes(sizes, rank).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    @property
    def factors(self) -> list[Tensor]:
        """The factors from the input to the output; a factor with three dimensions has one matrix for each expert."""
        parameters = dict(self.named_parameters())
        return [parameters[name] for name in ("inner", "core", "outer") if name in parameters]


class LowRankExperts(Roundable, Fusable):
    """The experts of a layer with `gate_up_proj`, `down_proj` or both as factors. Replaces `Experts`."""

    gate_up_proj: ExpertMatrices | nn.Parameter
    down_proj: ExpertMatrices | nn.Parameter

    def __init__(self, matrices: Mapping[str, tuple[tuple[int, ...], Rank | None]]) -> None:
        """matrices: the sizes [E, O, I] of each and its rank, None for a matrix without factors."""
        super().__init__()
        for name, (sizes, rank) in matrices.items():
            setattr(self, name, nn.Parameter(torch.empty(sizes)) if rank is None else ExpertMatrices(sizes, rank))
            self.num_experts = sizes[0]

    def forward(self, hidden_ND: Tensor, expert_Nk: Tensor, weight_Nk: Tensor) -> Tensor:
        """See `Experts`."""
        gate_up, down = factors_of(self.gate_up_proj), factors_of(self.down_proj)
        inputs_NI = hidden_ND.to(output_dtype(hidden_ND))
        last: Tensor | None = None
        if gate_up[0].dim() == 2:  # a shared input basis is applied once for each token
            inputs_NI, gate_up = self._product(inputs_NI, gate_up[0], []), gate_up[1:]
        if down[-1].dim() == 2 and self.rounding is None:  # so is a shared output basis, unless each term is rounded
            down, last = down[:-1], down[-1]
        if len(hidden_ND) == 1 and self.rounding is None:
            terms = []
            for expert, weight in zip(expert_Nk[0].tolist(), weight_Nk[0], strict=True):
                active_1F = gated_silu(_through(inputs_NI, gate_up, expert)) * weight
                terms.append(_through(active_1F, down, expert))
            summed_NI = torch.stack(terms).sum(0)
        else:
            sorting = Sorting.by_group(expert_Nk, self.num_experts)
            gate_up_YF = self._through_sorted(sort_rows(inputs_NI, sorting), gate_up, sorting)
            weight_Y1 = sorting.sort(weight_Nk)[:, None]  # 0 for a filler, see `Experts`
            active_YF = self.kernel(weighted_gated_silu)(gate_up_YF, weight_Y1)
            summed_NI = sum_choices(self._through_sorted(active_YF, down, sorting), sorting)
        return summed_NI if last is None else self._product(summed_NI, last, [])

    def _through_sorted(self, x_YI: Tensor, factors: list[Tensor], sorting: Sorting) -> Tensor:
        """Multiplies sorted rows by the factors of their experts."""
        for factor in factors:
            x_YI = self._product(x_YI, factor, sorting.sizes)
        return x_YI

    def _product(self, x_YI: Tensor, factor: Tensor, sizes: list[int]) -> Tensor:
        """Multiplies rows by a factor: one for each expert, with `sizes` rows each, or one for all rows."""
        matrices, sizes = (factor, sizes) if factor.dim() == 3 else (factor[None], [len(x_YI)])
        if self.rounding is None:
            return grouped_linear(x_YI, matrices, sizes)
        inputs = factor.shape[-1]
        return rounded_products(x_YI, matrices, sizes, self.rounding.bits(inputs), self.rounding.mixing(inputs))


def factors_of(matrices: ExpertMatrices | Tensor) -> list[Tensor]:
    """The factors of the experts' matrices; a matrix without factors is its own only factor."""
    return matrices.factors if isinstance(matrices, ExpertMatrices) else [matrices]


def keep_factors(network: nn.Module, shape: ModelShape) -> None:
    """Replace the matrices of a network for which its shape has ranks by factors."""
    matrices, ranks = matrix_shapes(shape), shape.ranks or {}
    for name, rank in ranks.items():
        place, _, last = name.rpartition(".")
        if len(matrices[name]) == 2:
            outputs, inputs = matrices[name]
            assert isinstance(rank, int)
            setattr(network.get_submodule(place), last, LowRankProjection(inputs, outputs, rank))
        elif not isinstance(network.get_submodule(place), LowRankExperts):
            stacks = {stack: (matrices[f"{place}.{stack}"], ranks.get(f"{place}.{stack}")) for stack in STACKS}
            network.set_submodule(place, LowRankExperts(stacks))


def _through(x_NI: Tensor, factors: list[Tensor], expert: int) -> Tensor:
    """Multiplies the rows of one expert by its factors."""
    for factor in factors:
        x_NI = F.linear(x_NI, factor[expert] if factor.dim() == 3 else factor)
    return x_NI
