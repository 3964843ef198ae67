"""Chooses which inputs of a matrix can be removed if the remaining ones compensate: the Optimal Brain Surgeon of
Hassibi and Stork 1993, for whole columns as in ZipLM (Kurtic et al. 2023, arXiv 2302.04089).

For inputs x with second moment S = E[x xᵀ] and H = S⁻¹, removing the columns J of W loses tr(W_J (H_JJ)⁻¹ W_Jᵀ) of the
mean square of W x, if the other columns change by -W_J (H_JJ)⁻¹ H_J, which minimises the loss. The remaining inputs
have the inverse moment H - H_Jᵀ (H_JJ)⁻¹ H_J, so columns can be removed one after the other.

Dimensions: E matrices of a stack, O outputs, I inputs, G groups of as many inputs each, W inputs of a group, J inputs
that are removed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tuili.compress.moments import ExpertMoments, InputMoments, damped, moment_bytes
from tuili.compress.pruning.sizes import Sizes
from tuili.compress.trial import Part
from tuili.compress.watch import Watch
from tuili.store import DenseShape, ModelShape

PASSES = 128
"""The most passes in which groups are removed, several at a time: each pass changes the whole inverse."""
DAMPING = 1e-4
"""The share of the mean variance of a stack's inputs that is added to each."""


@dataclass(frozen=True)
class Spared:
    """Parts of a kind that some layers can lose. what: the kind, for readers. layers: the measurements of each. find:
    returns the parts of a layer that stay, after changing its weights to compensate."""

    what: str
    layers: Sequence[Any]
    find: Callable[[Any], Tensor]

    def found(self, watch: Watch) -> list[Tensor]:
        """The parts of each layer that stay."""
        return [self.find(layer) for layer in watch.counted(self.layers, self.what, "layers")]

    @property
    def part(self) -> Part:
        """The time trial of all layers, by the first one."""

        def attempt() -> float:
            self.find(self.layers[0])
            return len(self.layers)

        return Part("reconstruction", attempt)


def reconstruction_bytes(shape: ModelShape | DenseShape, sizes: Sizes) -> int:
    """Bytes of the second moments needed to choose what stays when a model is cut to these sizes."""
    before = Sizes.of(shape)
    narrower = (sizes.feed_forward, sizes.expert) != (before.feed_forward, before.expert)
    losing = ("down_proj",) * narrower + ("o_proj",) * (sizes.heads < before.heads)
    return moment_bytes(shape, lambda name, inputs: name.endswith(losing))


@torch.no_grad()
def reconstruct_layers(moments: Sequence[InputMoments], parts: int, keep: int) -> Tensor:
    """The parts of the layers' inputs that stay, the same in all layers, [`keep`]: each part has the same number of
    inputs. Changes the layers' weights to compensate for removed parts. The moments are of products."""
    if keep == parts:
        return torch.arange(parts)
    weights: list[Tensor] = [one.layer.weight for one in moments]
    moment_LII = torch.stack([one.mean for one in moments])
    kept_LG, fitted_LOI = reconstruct(torch.stack(weights), moment_LII, parts, keep, together=True)
    for weight, fitted_OI in zip(weights, fitted_LOI, strict=True):
        weight.copy_(fitted_OI)
    return kept_LG[0]


@torch.no_grad()
def reconstruct_experts(moments: ExpertMoments, keep: int) -> Tensor:
    """The neurons that stay of each expert of a layer, [E, `keep`]; changes the weights after them to compensate.

    The moments are of products. For an expert that no sample has chosen, the weights alone decide which neurons go.
    """
    weight_EMF = moments.layer.experts.down_proj
    experts, _, neurons = weight_EMF.shape
    if keep == neurons:
        return torch.arange(neurons).expand(experts, -1)
    kept_EF, fitted_EMF = reconstruct(weight_EMF, moments.neurons, neurons, keep)
    weight_EMF.copy_(fitted_EMF)
    return kept_EF


def reconstruct(
    weight_EOI: Tensor, moment_EII: Tensor, groups: int, keep: int, *, together: bool = False
) -> tuple[Tensor, Tensor]:
    """The groups of inputs that stay of each matrix, [E, `keep`], rising, and the best matrices that use only them.

    moment_EII: the second moments of their inputs. together: whether the same groups stay in all. The matrices are
    float64; removed columns are 0.
    """
    weight_EOI, moment_EII = weight_EOI.detach().double().cpu(), damped(moment_EII, DAMPING)
    kept_EG = _chosen(weight_EOI.clone(), torch.linalg.inv(moment_EII), groups, keep, together)
    return kept_EG, _fitted(weight_EOI, moment_EII, inputs_of(kept_EG, weight_EOI.shape[2] // groups))


def inputs_of(group_En: Tensor, width: int) -> Tensor:
    """The inputs of groups, [E, n * W], in the order of the groups."""
    return (group_En[..., None] * width + torch.arange(width, device=group_En.device)).flatten(-2)


def _chosen(weight_EOI: Tensor, inverse_EII: Tensor, groups: int, keep: int, together: bool) -> Tensor:
    """The groups that stay. Modifies the weights and the inverse."""
    width, left = weight_EOI.shape[2] // groups, groups - keep
    assert left >= 0, f"{keep} of {groups} cannot stay"
    at_a_time = math.ceil(left / PASSES)
    stays_EG = torch.ones(len(weight_EOI), groups, dtype=torch.bool)
    while left:
        loss_EG = _losses(weight_EOI, inverse_EII, width)
        if together:
            loss_EG = loss_EG.sum(0, keepdim=True).expand_as(loss_EG)
        order_EG = loss_EG.masked_fill(~stays_EG, torch.inf).argsort(dim=1, stable=True)
        gone_En = order_EG[:, : min(at_a_time, left)]
        stays_EG.scatter_(1, gone_En, False)
        _remove(weight_EOI, inverse_EII, inputs_of(gone_En, width))
        left -= gone_En.shape[1]
    return stays_EG.nonzero()[:, 1].view(len(weight_EOI), keep)


def _losses(weight_EOI: Tensor, inverse_EII: Tensor, width: int) -> Tensor:
    """The loss from removing each group alone, [E, G]."""
    stack, _, inputs = weight_EOI.shape
    blocks = inverse_EII.view(stack, inputs // width, width, inputs // width, width)
    block_EGWW = blocks.diagonal(dim1=1, dim2=3).movedim(-1, 1)
    column_EGWO = weight_EOI.mT.reshape(stack, inputs // width, width, -1)
    solved_EGWO: Tensor = torch.linalg.solve(block_EGWW, column_EGWO)
    return (column_EGWO * solved_EGWO).sum((-2, -1))


def _remove(weight_EOI: Tensor, inverse_EII: Tensor, gone_EJ: Tensor) -> None:
    """Remove inputs from both; in the inverse they become independent of all others, with weights of 0."""
    row_EJI = inverse_EII.take_along_dim(gone_EJ[:, :, None], 1)
    block_EJJ = row_EJI.take_along_dim(gone_EJ[:, None], 2)
    change_EJI = torch.linalg.solve(block_EJJ, row_EJI)
    weight_EOI -= weight_EOI.take_along_dim(gone_EJ[:, None], 2) @ change_EJI
    inverse_EII -= row_EJI.mT @ change_EJI
    for number, gone_J in enumerate(gone_EJ):  # clears rounding errors
        weight_EOI[number, :, gone_J] = 0.0
        inverse_EII[number, gone_J], inverse_EII[number, :, gone_J] = 0.0, 0.0
        inverse_EII[number, gone_J, gone_J] = 1.0


def _fitted(weight_EOI: Tensor, moment_EII: Tensor, kept_EJ: Tensor) -> Tensor:
    """The matrices that use only these columns and whose outputs differ least, by the normal equations."""
    row_EJI = moment_EII.take_along_dim(kept_EJ[:, :, None], 1)
    block_EJJ = row_EJI.take_along_dim(kept_EJ[:, None], 2)
    fitted_EJO = torch.linalg.solve(block_EJJ, row_EJI @ weight_EOI.mT)
    place_EOJ = kept_EJ[:, None].expand(-1, weight_EOI.shape[1], -1)
    return torch.zeros_like(weight_EOI).scatter_(2, place_EOJ, fitted_EJO.mT)
