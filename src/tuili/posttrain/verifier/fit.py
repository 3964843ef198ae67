"""Fitting a verifier to examples: batches of chains of similar length, AdamW, a learning rate that rises and falls.

`run` decides which examples there are. Dimensions: A rows, T tokens, F features, C chains, N tokens of all
chains.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor

from tuili.config import Config
from tuili.model import Verifier
from tuili.posttrain.verifier.chains import UNKNOWN_LABEL, ProgressCallback
from tuili.posttrain.verifier.examples import Examples
from tuili.store import VerifierConfig
from tuili.train import warmup_cosine

WARMUP_SHARE = 0.05
"""The share of the steps until the full learning rate is reached."""
MAX_GRADIENT_NORM = 1.0


class FitConfig(Config):
    """How long and how fast a verifier learns, and the weight of a token's loss by the position of the token."""

    steps: PositiveInt = 1400
    passes: PositiveFloat | None = None
    """The most passes over the chains: few chains are soon memorised. None for as many as the steps make."""
    rows: PositiveInt = 32
    learning_rate: PositiveFloat = 2e-3
    weight_decay: NonNegativeFloat = 0.05
    inside: NonNegativeFloat = 0.2
    step_end: NonNegativeFloat = 1.0
    answer: NonNegativeFloat = 3.0


def fit_verifier(
    examples: Examples, config: VerifierConfig, settings: FitConfig, seed: int, tell: ProgressCallback
) -> Verifier:
    """A verifier fitted to the examples; the same seed gives the same verifier."""
    torch.manual_seed(seed)
    verifier = Verifier(config)
    optimizer = torch.optim.AdamW(
        verifier.parameters(), settings.learning_rate, (0.9, 0.98), fused=True, weight_decay=settings.weight_decay
    )
    weight_N = torch.full((len(examples.label_N),), settings.inside)
    weight_N[examples.end_E] = settings.step_end
    weight_N[examples.end_E[examples.last_E]] = settings.answer
    weight_N[examples.label_N == UNKNOWN_LABEL] = 0
    steps = settings.steps
    if settings.passes is not None:
        steps = min(steps, ceil(settings.passes * len(examples) / settings.rows))
    batches = _batches(examples.length_C, settings.rows, torch.Generator().manual_seed(seed))
    for step in range(steps):
        place_AT = padded_places(examples, next(batches))
        target_AT, weight_AT = examples.label_N[place_AT].float(), weight_N[place_AT] * (place_AT >= 0)
        feature_ATF = examples.feature_NF[place_AT].float()
        loss_AT = F.binary_cross_entropy_with_logits(verifier(feature_ATF), target_AT, reduction="none")
        loss = (loss_AT * weight_AT).sum() / weight_AT.sum()
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * warmup_cosine((step + 1) / steps, WARMUP_SHARE)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(verifier.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        tell(step + 1, steps)
    return verifier.eval()


@torch.inference_mode()
def predict_logits(verifier: Verifier, examples: Examples, rows: int = 64) -> Tensor:
    """The verifier's logit [N] for every token; it reads `rows` chains at once."""
    logit_N = torch.empty(len(examples.label_N))
    for chosen_A in examples.length_C.argsort().split(rows):
        place_AT = padded_places(examples, chosen_A)
        logit_AT = verifier(examples.feature_NF[place_AT].float())
        logit_N[place_AT[place_AT >= 0]] = logit_AT[place_AT >= 0]
    return logit_N


def padded_places(examples: Examples, chosen_A: Tensor) -> Tensor:
    """The indices of the tokens of some chains, [A, T]; -1 after a chain's end."""
    length_A1 = examples.length_C[chosen_A, None]
    column_T = torch.arange(int(length_A1.max()))
    return torch.where(column_T < length_A1, examples.start_C[chosen_A, None] + column_T, -1)


def _batches(length_C: Tensor, rows: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless batches of chains of similar length; each chain comes once per pass."""
    while True:
        noisy_C = length_C * (1 + 0.2 * torch.rand(len(length_C), generator=generator))
        batches = noisy_C.argsort().split(rows)
        for number in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[number]
