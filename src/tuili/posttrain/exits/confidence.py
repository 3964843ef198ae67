"""Training the confidence head of an exit: it predicts the cost of leaving there, by the probabilities at full depth.

It learns from texts that the adapter has not learnt from, because on its own texts the adapter is right too often.
The label of a token is 1 minus the amount by which full depth's probability of its own likeliest token exceeds its
probability of the exit's token. The label is 1 if both agree, and near 1 if full depth itself is undecided.

Dimensions: N tokens, M hidden size, X common tokens.
"""

from __future__ import annotations

import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from tuili.config import Config
from tuili.posttrain.exits.adapters import Head, random_rows, rate_factor
from tuili.posttrain.exits.network import ExitNetwork, confidence_inputs
from tuili.posttrain.exits.states import States

_ROWS = 1024
"""Tokens whose logits are in memory at a time."""


class ConfidenceConfig(Config):
    """How confidence heads are trained."""

    share: PositiveFloat = Field(0.3, lt=1)
    """The share of the tokens that confidence heads are trained on; the adapters learn from the others."""
    steps: NonNegativeInt = 400
    rows: PositiveInt = 1024
    """Tokens per step."""
    learning_rate: PositiveFloat = 2e-3
    weight_decay: NonNegativeFloat = 0.01


def kept_probability(token_N: Tensor, states: States) -> Tensor:
    """For these tokens in place of the likeliest ones at full depth, 1 minus the lost probability, [N]."""
    prob_NK = states.log_prob_NK.exp()
    own_N = (prob_NK * (states.top_NK == token_N[:, None])).sum(-1)
    return (1 - prob_NK[:, 0] + own_N).clamp(0, 1)


@torch.inference_mode()
def exit_output(adapted_NM: Tensor, head: Head, common_X: Tensor) -> tuple[Tensor, Tensor]:
    """The confidence head's inputs for adapted states, [N, 2], and the likeliest of the common tokens, [N]."""
    rows_XM = head.weight_VM[common_X].bfloat16()
    parts = [(head.read(part_NM).bfloat16() @ rows_XM.T).float() for part_NM in adapted_NM.split(_ROWS)]
    input_N2 = torch.cat([confidence_inputs(logit_NX) for logit_NX in parts])
    return input_N2, common_X[torch.cat([logit_NX.argmax(-1) for logit_NX in parts])]


def train_confidence(
    network: ExitNetwork, depth: int, states: States, head: Head, common_X: Tensor, config: ConfidenceConfig, seed: int
) -> None:
    """Train the confidence head of an exit whose adapter is trained.

    It learns from standardised inputs; mean and deviation are folded into its first layer at the end.
    """
    part = states.select(states.response_N)
    with torch.inference_mode():
        input_N2, token_N = exit_output(network.adapted(part.hidden[depth]), head, common_X)
        label_N = kept_probability(token_N, part)
        mean_2, deviation_2 = input_N2.mean(0), input_N2.std(0).clamp(min=1e-6)
    standard_N2, label_N = ((input_N2 - mean_2) / deviation_2).clone(), label_N.clone()
    optimizer = torch.optim.AdamW(
        network.confidence.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    for step, row_B in enumerate(random_rows(len(part), config.rows, config.steps, seed)):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate_factor(step, config.steps)
        logit_B = network.confidence(standard_N2[row_B])[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logit_B, label_N[row_B])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    first = network.confidence[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        first.weight.div_(deviation_2)
        first.bias.sub_(first.weight @ mean_2)
