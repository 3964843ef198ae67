"""What training minimises: the next-token loss at each token's own exit, and two auxiliary losses of the routers.

`exit_walk` decides which tokens are learnt and how they reach their exits; `trainer` handles gradients and steps.

Dimensions: N learnt tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveFloat, model_validator
from torch import Tensor

from tuili.config import Config
from tuili.data import Block
from tuili.model import TuiliForCausalLM, token_loss
from tuili.train.exit_walk import ExitTokens, router_losses, walk_exits


class ObjectiveConfig(Config):
    """Shares of the exits and weights of the auxiliary losses."""

    exits: tuple[tuple[PositiveFloat, ...], tuple[PositiveFloat, ...]] = (
        (0.02, 0.03, 0.05, 0.9),
        (0.35, 0.2, 0.15, 0.3),
    )
    """Shares of the learnt tokens that leave at each exit, from the trunk's to the full depth: at the start and at the
    end, linear in between. With even shares from the start, the trunk learns to drown out what the layers above add."""
    router_z: NonNegativeFloat = 1e-4
    """Weight of the router's z-loss (Zoph et al. 2022, arXiv 2202.08906)."""
    domain_prior: tuple[NonNegativeFloat, NonNegativeFloat] = (0.1, 0.01)
    """Weight of the loss that steers a token to its domain's expert: at the start and at the end, linear in between."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> ObjectiveConfig:
        for shares in self.exits:
            if abs(sum(shares) - 1) > 1e-6:
                raise ValueError(f"the shares of the exits add up to {sum(shares):g}, not to 1")
        return self


@dataclass(frozen=True)
class ObjectiveResult:
    """A scalar loss, and metrics for the log.

    The metrics are the unweighted parts of the loss (`cross_entropy`, `z_loss`, `domain_loss`), the next-token
    `accuracy` over all tokens and by exit (`accuracy_LAYERS`), and `flops`.
    """

    loss: Tensor
    metrics: Mapping[str, float | Tensor]


class Objective:
    """Computes the loss of a block when called; see the module docstring."""

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
        beyond = [self._share_beyond(exit, progress) for exit in range(self.model.config.num_groups)]
        walk = walk_exits(self.model, block, beyond, generator)
        logits_NV = self.model.lm_head(self.model.model.norm(walk.hidden_NM))
        loss, right_N = self.model.model.kernel(token_loss)(logits_NV, walk.target_N)

        start, end = self._config.domain_prior
        domain_weight = start + (end - start) * progress
        z_loss, domain_loss = router_losses(walk)
        metrics: dict[str, float | Tensor] = {
            "accuracy": right_N.mean(),
            "flops": self._flops(walk.exits, block),
        }
        sizes = [len(exit.target_N) for exit in walk.exits]
        for depth, right in zip(self.model.config.exit_layers, right_N.split(sizes), strict=True):
            if len(right):
                metrics[f"accuracy_{depth}"] = right.mean()
        metrics |= {"cross_entropy": loss.detach(), "z_loss": z_loss.detach(), "domain_loss": domain_loss.detach()}
        total = loss + self._config.router_z * z_loss + domain_weight * domain_loss
        return ObjectiveResult(total, metrics)

    def _flops(self, exits: Sequence[ExitTokens], block: Block) -> float:
        """Operations of the linear layers, forward and backward: 6 per parameter and token, without attention."""
        config = self.model.config
        beyond = sum(len(exit.target_N) * number for number, exit in enumerate(exits))
        head = sum(len(exit.target_N) for exit in exits) * config.vocab_size * config.hidden_size
        return float(
            6 * (self._trunk_size * block.real_tokens + self._layer_size * beyond * config.group_layers + head)
        )
