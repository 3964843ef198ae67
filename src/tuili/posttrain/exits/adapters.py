"""Training the adapter of an exit: first by a closed-form regression, then towards the predictions of full depth.

The states come from `states`; `confidence` later learns how sure an exit is. Translating states linearly before the
head reads them: Belrose et al., "Eliciting Latent Predictions with the Tuned Lens", 2023 (arXiv:2303.08112). The head
is the most expensive part, so a step scores only tokens that full depth finds likely somewhere in its rows.

Dimensions: N tokens, M hidden size, R rank, K likeliest tokens, S tokens that are scored, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from tuili.config import Config
from tuili.posttrain.exits.network import ExitNetwork, plain_norm
from tuili.posttrain.exits.states import LIKELIEST, States

_RIDGE = 1e-2
"""Relative to the mean of the inputs' squares; it keeps the regression from overfitting single texts."""
_WARMUP_STEPS = 20


class AdapterConfig(Config):
    """How adapters are trained."""

    steps: NonNegativeInt = 400
    rows: PositiveInt = 768
    """Tokens per step."""
    learning_rate: PositiveFloat = 1.5e-3
    weight_decay: NonNegativeFloat = 0.05
    likeliest: PositiveInt = Field(8, le=LIKELIEST)
    """How many of the likeliest tokens at full depth an exit learns the probabilities of."""
    prompt_weight: NonNegativeFloat = 0.4
    """The weight of a prompt token; a response token has weight 1."""


@dataclass(frozen=True)
class Head:
    """The final norm and the head of a model, in float32: their gain [M] and weights [V, M]."""

    gain_M: Tensor
    weight_VM: Tensor
    eps: float

    def read(self, hidden_NM: Tensor) -> Tensor:
        """The input of the weights."""
        return plain_norm(hidden_NM, self.eps) * self.gain_M


def start_by_regression(network: ExitNetwork, hidden_NM: Tensor, full_NM: Tensor, top_NK: Tensor, head: Head) -> None:
    """Set the adapter to the map of its rank that brings states closest to those at full depth.

    Closeness is measured in the logits of the tokens that full depth finds likely, and relative to the size of a state,
    because the final norm divides by it.
    """
    rank = network.down.out_features
    input_NM, target_NM = plain_norm(hidden_NM, head.eps), full_NM.float() - hidden_NM.float()
    weighted_NM = input_NM / full_NM.float().square().mean(-1, keepdim=True)
    moments_MM = weighted_NM.T @ input_NM
    moments_MM += _RIDGE * moments_MM.diagonal().mean() * torch.eye(len(moments_MM))
    full_rank_MM = torch.linalg.solve(moments_MM, weighted_NM.T @ target_NM)
    metric_MM = _logit_metric(top_NK, head)
    fitted_MM = torch.linalg.cholesky(moments_MM).T @ full_rank_MM @ metric_MM
    directions_RM = torch.linalg.svd(fitted_MM, full_matrices=False)[2][:rank]
    down_RM = (full_rank_MM @ metric_MM @ directions_RM.T).T
    up_MR = torch.linalg.solve(metric_MM, directions_RM.T)
    scale = (up_MR.norm() / down_RM.norm()).sqrt()  # both learn at the same rate
    with torch.no_grad():
        network.down.weight.copy_(down_RM * scale)
        network.up.weight.copy_(up_MR / scale)


def _logit_metric(top_NK: Tensor, head: Head) -> Tensor:
    """The root of the quadratic form that measures a difference of states in the logits of likely tokens, [M, M]."""
    token_S, count_S = torch.unique(top_NK[:, :4], return_counts=True)
    rows_SM = head.weight_VM[token_S] * head.gain_M * count_S[:, None].sqrt()
    form_MM = rows_SM.T @ rows_SM
    form_MM /= form_MM.diagonal().mean()
    value_M, vector_MM = torch.linalg.eigh(form_MM + 1e-3 * torch.eye(len(form_MM)))
    root_MM: Tensor = vector_MM @ torch.diag(value_M.sqrt()) @ vector_MM.T
    return root_MM


def distill(
    network: ExitNetwork, depth: int, states: States, head: Head, config: AdapterConfig, seed: int,
    tell: Callable[[int, int], None],
) -> None:  # fmt: skip
    """Train the adapter so that the head's probabilities of likely tokens match those at full depth."""
    parameters = [network.down.weight, network.up.weight]
    optimizer = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
    hidden_NM, narrow_VM = states.hidden[depth], head.weight_VM.bfloat16()
    weight_N = torch.where(states.response_N, 1.0, config.prompt_weight)
    for step, row_B in enumerate(random_rows(len(states), config.rows, config.steps, seed)):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate_factor(step, config.steps)
        token_S, place_BK = torch.unique(states.top_NK[row_B, : config.likeliest], return_inverse=True)
        read_BM = head.read(network.adapted(hidden_NM[row_B]))
        logits_BS = (read_BM.bfloat16() @ narrow_VM[token_S].T).float()
        log_prob_BK = functional.log_softmax(logits_BS, dim=-1).gather(1, place_BK)
        target_BK = states.log_prob_NK[row_B, : config.likeliest]
        divergence_B = (target_BK.exp() * (target_BK - log_prob_BK)).sum(-1)
        loss = (divergence_B * weight_N[row_B]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tell(step + 1, config.steps)


def random_rows(length: int, rows: int, steps: int, seed: int) -> Iterator[Tensor]:
    """The rows of each step, drawn with replacement."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(length, (rows,), generator=generator) for _ in range(steps))


def rate_factor(step: int, steps: int) -> float:
    """The factor of the learning rate: it rises in the first steps, then falls along a cosine to nearly zero."""
    return min(1.0, (step + 1) / _WARMUP_STEPS) * (0.02 + 0.49 * (1 + math.cos(math.pi * step / steps)))
