"""What training minimises: the next token at each token's own exit, and two auxiliary losses of the routers.

Only tokens of responses are learnt, and only they go beyond the trunk. Each of them leaves at an exit that is drawn at
random, in shares that the recipe gives. The head therefore runs once for each token, and the work falls to the mean
depth; this is possible because reasoning layers read only what the trunk wrote. Gradients and steps are left to
`trainer`.

Dimensions: B rows, T positions, Q tokens a row beyond the trunk, N learnt tokens, M hidden size, E experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor

from tuili.config import Config
from tuili.data import IGNORE_INDEX, Block
from tuili.model import Route, TuiliForCausalLM, token_loss

DOMAIN_LOGIT_MARGIN = 2.0
"""The logit of the domain's expert is led this far above all others, and no further: an expert with a score near zero
would be of no use as a token's second expert."""

PAD_TO_MULTIPLE_TOKENS = 8
"""Beyond the trunk, rows are padded to a multiple of this many tokens, so that few different shapes occur."""


class ObjectiveConfig(Config):
    """Shares of the exits and weights of the auxiliary losses."""

    exits: tuple[tuple[PositiveFloat, ...], tuple[PositiveFloat, ...]] = (
        (0.02, 0.03, 0.05, 0.9),
        (0.35, 0.2, 0.15, 0.3),
    )
    """Shares of the learnt tokens that leave at each exit, from the trunk's to the full depth: at the start and at the
    end, linear between. Trained evenly from the start, the trunk learns to drown what the layers above it add."""
    router_z: NonNegativeFloat = 1e-4
    """Weight of the router's z-loss (Zoph et al. 2022, arXiv 2202.08906)."""
    domain_prior: tuple[NonNegativeFloat, NonNegativeFloat] = (0.1, 0.01)
    """Weight at the start and the end, linear between, of the loss that leads a token to its domain's expert."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> ObjectiveConfig:
        for shares in self.exits:
            if abs(sum(shares) - 1) > 1e-6:
                raise ValueError(f"the shares of the exits add up to {sum(shares):g}, not to 1")
        return self


@dataclass(frozen=True)
class ObjectiveResult:
    """A scalar loss, and metrics for the log.

    The metrics are the parts of the loss before they are weighted (`cross_entropy`, `z_loss`, `domain_loss`), the
    `accuracy` of the next token over all tokens and by exit (`accuracy_LAYERS`), and `flops`.
    """

    loss: Tensor
    metrics: Mapping[str, float | Tensor]


@dataclass(frozen=True)
class _ExitTokens:
    """The tokens that leave at one exit: their hidden states, and the tokens that follow them."""

    hidden_NM: Tensor
    target_N: Tensor


class Objective:
    """The loss of a block, by calling it; see the head of this file."""

    def __init__(self, config: ObjectiveConfig, model: TuiliForCausalLM) -> None:
        self._config, self.model = config, model
        used = model.config.num_experts_per_tok / model.config.num_experts
        parts = (model.model.trunk, model.model.shared_key_value)
        self._trunk_size = sum(parameter.numel() for part in parts for parameter in part.parameters())
        self._layer_size = sum(
            parameter.numel() * (used if ".experts." in name else 1.0)
            for name, parameter in model.model.reasoning.named_parameters()
        ) / len(model.model.reasoning)

    def _share_beyond(self, exit: int, progress: float) -> float:
        """Share of the learnt tokens that go beyond an exit, at `progress` in [0, 1] of the run."""
        start, end = (sum(shares[exit + 1 :]) for shares in self._config.exits)
        return start + (end - start) * progress

    def __call__(self, block: Block, progress: float, generator: torch.Generator) -> ObjectiveResult:
        """The loss of one block at `progress` in [0, 1] of the run; exits are drawn from `generator`."""
        model = self.model.model
        hidden_BTM, shared, frame = model.encode(
            block.tokens_BT,
            attention_mask=None if bool((block.documents_BT >= 0).all()) else block.documents_BT >= 0,
            position_ids=block.positions_BT,
        )
        order_BT, learnt_B = _shuffle_learnt(block.targets_BT, generator)
        exits, routes = [], []
        hidden_BQM, index_BQ = hidden_BTM, order_BT
        stays_B = learnt_B
        for exit in range(model.config.num_groups + 1):
            last = exit == model.config.num_groups
            goes_on_B = (
                torch.zeros_like(learnt_B) if last else (learnt_B * self._share_beyond(exit, progress)).ceil().long()
            )
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
            hidden_BQM, group_routes = model.reason(hidden_BQM, shared, frame, exit)
            domain_N = block.domains_BT.gather(1, index_BQ).masked_fill(~real_BQ, -1).flatten()
            routes.append((group_routes, real_BQ.flatten(), domain_N))
        return self._combine(exits, routes, progress, block)

    def _combine(
        self,
        exits: list[_ExitTokens],
        routes: list[tuple[list[Route], Tensor, Tensor]],
        progress: float,
        block: Block,
    ) -> ObjectiveResult:
        target_N = torch.cat([exit.target_N for exit in exits])
        hidden_NM = self.model.model.norm(torch.cat([exit.hidden_NM for exit in exits]))
        loss, right_N = self.model.model.kernel(token_loss)(self.model.lm_head(hidden_NM), target_N)

        start, end = self._config.domain_prior
        domain_weight = start + (end - start) * progress
        z_loss, domain_loss = _router_losses(routes)
        metrics: dict[str, float | Tensor] = {
            "accuracy": right_N.mean(),
            "flops": self._flops(exits, block),
        }
        sizes = [len(exit.target_N) for exit in exits]
        for depth, right in zip(self.model.config.exit_layers, right_N.split(sizes), strict=True):
            if len(right):
                metrics[f"accuracy_{depth}"] = right.mean()
        metrics |= {"cross_entropy": loss.detach(), "z_loss": z_loss.detach(), "domain_loss": domain_loss.detach()}
        total = loss + self._config.router_z * z_loss + domain_weight * domain_loss
        return ObjectiveResult(total, metrics)

    def _flops(self, exits: list[_ExitTokens], block: Block) -> float:
        """Operations of the linear layers, forward and backward: 6 a parameter and token. Attention is not counted."""
        config = self.model.config
        beyond = sum(len(exit.target_N) * number for number, exit in enumerate(exits))
        head = sum(len(exit.target_N) for exit in exits) * config.vocab_size * config.hidden_size
        return float(
            6 * (self._trunk_size * block.real_tokens + self._layer_size * beyond * config.group_layers + head)
        )


def _shuffle_learnt(targets_BT: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The columns of each row, the learnt ones first in random order; and the number of learnt ones in each row."""
    learnt_BT = targets_BT != IGNORE_INDEX
    key_BT = torch.rand(targets_BT.shape, generator=generator, device=targets_BT.device)
    return (key_BT + ~learnt_BT).argsort(dim=1), learnt_BT.sum(dim=1)


def _columns(hidden_BTM: Tensor, index_BQ: Tensor) -> Tensor:
    return hidden_BTM.gather(1, index_BQ[..., None].expand(-1, -1, hidden_BTM.shape[-1]))


def _exit_tokens(
    hidden_BQM: Tensor, index_BQ: Tensor, targets_BT: Tensor, first_B: Tensor, end_B: Tensor, *, gather: bool
) -> _ExitTokens:
    """The tokens of rank first … end - 1 in each row; `gather` if the states are still in the order of columns."""
    rank_Q = torch.arange(index_BQ.shape[1], device=index_BQ.device)
    row_N, rank_N = ((rank_Q >= first_B[:, None]) & (rank_Q < end_B[:, None])).nonzero(as_tuple=True)
    column_N = index_BQ[row_N, rank_N]
    return _ExitTokens(hidden_BQM[row_N, column_N if gather else rank_N], targets_BT[row_N, column_N])


def _router_losses(groups: list[tuple[list[Route], Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The z-loss over all tokens; and how far the domain's expert is below its margin, over tokens of known domain.

    Both are means over the layers of means over the tokens. The routes of a group of layers come with the tokens that
    are real, and with the domain of each, or -1. All layers are computed at once: one by one, the many small operations
    would take longer.
    """
    logits_XE = torch.cat([route.logits_NE for routes, _, _ in groups for route in routes])
    layers = sum(len(routes) for routes, _, _ in groups)

    def of_layers(of_groups: list[Tensor]) -> Tensor:
        """What each token has in each layer, from what it has in each group."""
        return torch.cat([of_N.repeat(len(routes)) for (routes, _, _), of_N in zip(groups, of_groups, strict=True)])

    def mean(loss_X: Tensor, chosen: list[Tensor]) -> Tensor:
        return (loss_X * of_layers([chosen_N / chosen_N.sum().clamp(min=1) for chosen_N in chosen])).sum() / layers

    known = [(domain_N >= 0) & (domain_N < logits_XE.shape[1]) for _, _, domain_N in groups]
    expert_X = of_layers([torch.where(known_N, group[2], 0) for known_N, group in zip(known, groups, strict=True)])
    short_X = F.multi_margin_loss(logits_XE, expert_X, margin=DOMAIN_LOGIT_MARGIN, reduction="none")
    z_loss = mean(logits_XE.logsumexp(-1).square(), [real_N for _, real_N, _ in groups])
    return z_loss, mean(short_X, known)
