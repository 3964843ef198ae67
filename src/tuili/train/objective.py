"""What training minimises: the next token at each token's own exit, and two auxiliary losses of the routers.

Only tokens of responses are learnt, and only they go beyond the trunk. Each of them leaves at an exit drawn at random
in fixed shares, so that the head runs once a token and the work falls to the mean depth; this is possible because
reasoning layers read only what the trunk wrote. The loop that calls this is in `loop.py`.

Dimensions: B rows, T positions, Q tokens a row beyond the trunk, N learnt tokens, M hidden size, E experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor

from tuili.config import Config
from tuili.data import IGNORE_INDEX, Block
from tuili.model import Route, TuiliForCausalLM

MARGIN = 2.0
"""The logit of a token's own expert is led this far above all others, and no further: an expert whose score is next to
nothing can be of no use in the second slot."""

FILL = 8
"""The number of tokens a row beyond the trunk is filled up to a multiple of this, so that shapes are few."""


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
    """A scalar loss, and what is worth logging: its parts before they are weighted (`cross_entropy`, `z_loss`,
    `domain_loss`), `accuracy` of the next token, in all and by exit, and `flops`.
    """

    loss: Tensor
    metrics: Mapping[str, float | Tensor]


@dataclass(frozen=True)
class _Leaving:
    """The tokens that leave at one exit."""

    hidden_NM: Tensor
    target_N: Tensor


class Objective:
    """Callable for a block; see the head of this file."""

    def __init__(self, config: ObjectiveConfig, model: TuiliForCausalLM) -> None:
        self._config, self._model = config, model

    def _beyond(self, exit: int, progress: float) -> float:
        """Share of the learnt tokens that go beyond an exit."""
        start, end = (sum(shares[exit + 1 :]) for shares in self._config.exits)
        return start + (end - start) * progress

    def __call__(self, block: Block, progress: float, generator: torch.Generator) -> ObjectiveResult:
        """The loss of one block at `progress` in [0, 1] of the run; exits are drawn from `generator`."""
        model = self._model.model
        hidden_BTM, shared, frame = model.encode(
            block.tokens_BT,
            attention_mask=None if bool((block.documents_BT >= 0).all()) else block.documents_BT >= 0,
            position_ids=block.positions_BT,
        )
        order_BT, learnt_B = _shuffle_learnt(block.targets_BT, generator)
        leaving, routes = [], []
        hidden_BQM, index_BQ = hidden_BTM, order_BT
        stays_B = learnt_B
        for exit in range(model.config.num_groups + 1):
            last = exit == model.config.num_groups
            goes_on_B = torch.zeros_like(learnt_B) if last else (learnt_B * self._beyond(exit, progress)).ceil().long()
            leaving.append(_leave(hidden_BQM, index_BQ, block.targets_BT, goes_on_B, stays_B, gather=exit == 0))
            if last:
                break
            width = min(-(-max(1, int(goes_on_B.max())) // FILL) * FILL, index_BQ.shape[1])
            index_BQ, stays_B = index_BQ[:, :width], goes_on_B
            real_BQ = torch.arange(width, device=index_BQ.device) < goes_on_B[:, None]
            if exit == 0:
                hidden_BQM = _columns(hidden_BTM, index_BQ)
                frame = frame.at(index_BQ, real_BQ)
            else:
                hidden_BQM = hidden_BQM[:, :width]
                frame = replace(frame.first(width), real_BT=real_BQ)
            hidden_BQM, group_routes = model.reason(hidden_BQM, shared, frame, exit)
            domain_N = block.domains_BT.gather(1, index_BQ)[real_BQ]
            routes += [(route, real_BQ.flatten(), domain_N) for route in group_routes]
        return self._combine(leaving, routes, progress, block)

    def _combine(
        self,
        leaving: list[_Leaving],
        routes: list[tuple[Route, Tensor, Tensor]],
        progress: float,
        block: Block,
    ) -> ObjectiveResult:
        target_N = torch.cat([exit.target_N for exit in leaving])
        hidden_NM = self._model.model.norm(torch.cat([exit.hidden_NM for exit in leaving]))
        logits_NV = self._model.lm_head(hidden_NM).float()
        loss = F.cross_entropy(logits_NV, target_N)
        right_N = (logits_NV.detach().argmax(-1) == target_N).float()

        start, end = self._config.domain_prior
        domain_weight = start + (end - start) * progress
        z_losses, domain_losses = zip(*(_router_losses(*route) for route in routes), strict=True)
        z_loss, domain_loss = torch.stack(z_losses).mean(), torch.stack(domain_losses).mean()
        metrics: dict[str, float | Tensor] = {
            "accuracy": right_N.mean(),
            "flops": self._flops(leaving, block),
        }
        sizes = [len(exit.target_N) for exit in leaving]
        for depth, right in zip(self._model.config.exit_layers, right_N.split(sizes), strict=True):
            if len(right):
                metrics[f"accuracy_{depth}"] = right.mean()
        metrics |= {"cross_entropy": loss.detach(), "z_loss": z_loss.detach(), "domain_loss": domain_loss.detach()}
        total = loss + self._config.router_z * z_loss + domain_weight * domain_loss
        return ObjectiveResult(total, metrics)

    def _flops(self, leaving: list[_Leaving], block: Block) -> float:
        """Forward and backward of the linear layers, 6 a parameter and token; attention itself is not counted."""
        config, model = self._model.config, self._model.model
        used = config.num_experts_per_tok / config.num_experts
        trunk = sum(p.numel() for part in (model.trunk, model.shared_key_value) for p in part.parameters())
        layer = sum(
            p.numel() * (used if ".experts." in name else 1.0) for name, p in model.reasoning.named_parameters()
        ) / len(model.reasoning)
        beyond = sum(len(exit.target_N) * number for number, exit in enumerate(leaving))
        head = sum(len(exit.target_N) for exit in leaving) * config.vocab_size * config.hidden_size
        return float(6 * (trunk * block.real_tokens + layer * beyond * config.group_layers + head))


def _shuffle_learnt(targets_BT: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The columns of each row with the learnt ones first, in random order, and their number."""
    learnt_BT = targets_BT != IGNORE_INDEX
    key_BT = torch.rand(targets_BT.shape, generator=generator, device=targets_BT.device)
    return (key_BT + ~learnt_BT).argsort(dim=1), learnt_BT.sum(dim=1)


def _columns(hidden_BTM: Tensor, index_BQ: Tensor) -> Tensor:
    return hidden_BTM.gather(1, index_BQ[..., None].expand(-1, -1, hidden_BTM.shape[-1]))


def _leave(
    hidden_BQM: Tensor, index_BQ: Tensor, targets_BT: Tensor, first_B: Tensor, end_B: Tensor, *, gather: bool
) -> _Leaving:
    """The tokens of rank first … end - 1 in each row; `gather` if `hidden` is still in the order of the columns."""
    rank_Q = torch.arange(index_BQ.shape[1], device=index_BQ.device)
    row_N, slot_N = ((rank_Q >= first_B[:, None]) & (rank_Q < end_B[:, None])).nonzero(as_tuple=True)
    column_N = index_BQ[row_N, slot_N]
    return _Leaving(hidden_BQM[row_N, column_N if gather else slot_N], targets_BT[row_N, column_N])


def _router_losses(route: Route, real_N: Tensor, domain_N: Tensor) -> tuple[Tensor, Tensor]:
    """z-loss, and how far the domain's expert is from its margin, over the tokens whose domain is known."""
    logits_NE = route.logits_NE[real_N]
    z_loss = logits_NE.logsumexp(-1).square().mean()
    known_N = (domain_N >= 0) & (domain_N < logits_NE.shape[1])
    if not bool(known_N.any()):
        return z_loss, logits_NE.sum() * 0
    return z_loss, F.multi_margin_loss(logits_NE[known_N], domain_N[known_N], margin=MARGIN)
