"""The path of a block's learnt tokens through a model: each leaves at a randomly drawn exit.

Only response tokens are learnt, and only they go beyond the trunk. The head therefore runs once per token, and the work
falls to the mean depth; this is possible because reasoning layers read only what the trunk wrote. Callers such as
`objective` decide what is learnt from the states.

Dimensions: B rows, T positions, Q tokens a row beyond the trunk, N learnt tokens, M hidden size, E experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.data import IGNORE_INDEX, Block
from tuili.model import Route, TuiliForCausalLM

DOMAIN_LOGIT_MARGIN = 2.0
"""The loss raises the logit of the domain's expert this far above all others, and no further: an expert with a score
near zero would be of no use as a token's second expert."""

PAD_TO_MULTIPLE_TOKENS = 8
"""Beyond the trunk, rows are padded to a multiple of this many tokens, so that few different shapes occur."""


@dataclass(frozen=True)
class ExitTokens:
    """The tokens that leave at one exit: their hidden states, the tokens that follow them, and their positions in the
    block, counted row by row."""

    hidden_NM: Tensor
    target_N: Tensor
    place_N: Tensor


@dataclass(frozen=True)
class ExitWalk:
    """The exits at which the learnt tokens of a block left, from the trunk's exit to the full depth.

    groups: for each group of reasoning layers, the routes of its layers, which of the group's tokens are real, and the
    expert of each token's domain, or -1.
    """

    exits: Sequence[ExitTokens]
    groups: Sequence[tuple[list[Route], Tensor, Tensor]]

    @property
    def hidden_NM(self) -> Tensor:
        """The hidden states of all tokens, exit by exit, before the final norm."""
        return torch.cat([exit.hidden_NM for exit in self.exits])

    @property
    def target_N(self) -> Tensor:
        """The tokens that follow them."""
        return torch.cat([exit.target_N for exit in self.exits])

    @property
    def place_N(self) -> Tensor:
        """Their positions in the block."""
        return torch.cat([exit.place_N for exit in self.exits])


def walk_exits(model: TuiliForCausalLM, block: Block, beyond: Sequence[float], generator: torch.Generator) -> ExitWalk:
    """Run a block through a model.

    beyond: for each exit except the last, the share of each row's learnt tokens that goes beyond it. generator: decides
    which tokens; with the same generator state, models with equally many exits let the same tokens leave in the same
    order.
    """
    network = model.model
    hidden_BTM, shared, frame = network.encode(
        block.tokens_BT,
        attention_mask=None if bool((block.documents_BT >= 0).all()) else block.documents_BT >= 0,
        position_ids=block.positions_BT,
    )
    order_BT, learnt_B = _shuffle_learnt(block.targets_BT, generator)
    exits, groups = [], []
    hidden_BQM, index_BQ = hidden_BTM, order_BT
    stays_B = learnt_B
    for exit in range(network.config.num_groups + 1):
        last = exit == network.config.num_groups
        goes_on_B = torch.zeros_like(learnt_B) if last else (learnt_B * beyond[exit]).ceil().long()
        exits.append(_exit_tokens(hidden_BQM, index_BQ, block.targets_BT, goes_on_B, stays_B, gather=exit == 0))
        if last:
            break
        width = min(
            -(-max(1, int(goes_on_B.max())) // PAD_TO_MULTIPLE_TOKENS) * PAD_TO_MULTIPLE_TOKENS, index_BQ.shape[1]
        )
        index_BQ, stays_B = index_BQ[:, :width], goes_on_B
        real_BQ = torch.arange(width, device=index_BQ.device) < goes_on_B[:, None]
        if exit == 0:
            hidden_BQM = _columns(hidden_BTM, index_BQ)
            frame = frame.at(index_BQ, real_BQ)
        else:
            hidden_BQM = hidden_BQM[:, :width]
            frame = frame.first(width, real_BQ)
        hidden_BQM, routes = network.reason(hidden_BQM, shared, frame, exit)
        domain_N = block.domains_BT.gather(1, index_BQ).masked_fill(~real_BQ, -1).flatten()
        groups.append((routes, real_BQ.flatten(), domain_N))
    return ExitWalk(exits, groups)


def _shuffle_learnt(targets_BT: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The columns of each row, with the learnt ones first in random order; and how many are learnt in each row."""
    learnt_BT = targets_BT != IGNORE_INDEX
    key_BT = torch.rand(targets_BT.shape, generator=generator, device=targets_BT.device)
    return (key_BT + ~learnt_BT).argsort(dim=1), learnt_BT.sum(dim=1)


def _columns(hidden_BTM: Tensor, index_BQ: Tensor) -> Tensor:
    return hidden_BTM.gather(1, index_BQ[..., None].expand(-1, -1, hidden_BTM.shape[-1]))


def _exit_tokens(
    hidden_BQM: Tensor, index_BQ: Tensor, targets_BT: Tensor, first_B: Tensor, end_B: Tensor, *, gather: bool
) -> ExitTokens:
    """The tokens of ranks first … end - 1 in each row. gather: whether the states are still in column order."""
    rank_Q = torch.arange(index_BQ.shape[1], device=index_BQ.device)
    row_N, rank_N = ((rank_Q >= first_B[:, None]) & (rank_Q < end_B[:, None])).nonzero(as_tuple=True)
    column_N = index_BQ[row_N, rank_N]
    place_N = row_N * targets_BT.shape[1] + column_N
    return ExitTokens(hidden_BQM[row_N, column_N if gather else rank_N], targets_BT[row_N, column_N], place_N)


def router_losses(walk: ExitWalk) -> tuple[Tensor, Tensor]:
    """The z-loss over all tokens; and how far the domain's expert is below its margin, over tokens of known domain.

    Both are averaged over the tokens, then over the layers. Each group of layers has its routes, the mask of its real
    tokens, and the domain of each token, or -1. All layers are computed at once, because the many small operations
    would take longer layer by layer.
    """
    groups = walk.groups
    logits_XE = torch.cat([route.logits_NE for routes, _, _ in groups for route in routes])
    layers = sum(len(routes) for routes, _, _ in groups)

    def of_layers(of_groups: list[Tensor]) -> Tensor:
        """The values of each token in each layer, from its values in each group."""
        return torch.cat([of_N.repeat(len(routes)) for (routes, _, _), of_N in zip(groups, of_groups, strict=True)])

    def mean(loss_X: Tensor, chosen: list[Tensor]) -> Tensor:
        return (loss_X * of_layers([chosen_N / chosen_N.sum().clamp(min=1) for chosen_N in chosen])).sum() / layers

    known = [(domain_N >= 0) & (domain_N < logits_XE.shape[1]) for _, _, domain_N in groups]
    expert_X = of_layers([torch.where(known_N, group[2], 0) for known_N, group in zip(known, groups, strict=True)])
    short_X = F.multi_margin_loss(logits_XE, expert_X, margin=DOMAIN_LOGIT_MARGIN, reduction="none")
    z_loss = mean(logits_XE.logsumexp(-1).square(), [real_N for _, real_N, _ in groups])
    return z_loss, mean(short_X, known)
