"""Training of the network that combines all inputs: two layers, full-batch, and always with the same result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuili.data.pipeline.quality.classifier import FAR, Network

HIDDEN, STEPS, RATE, PENALTY = 12, 200, 0.03, 1e-2
"""Hidden units, steps of Adam (arXiv 1412.6980), the initial rate, which decays to 0, and the L2 penalty."""


def fit(inputs_NF: NDArray[np.float64], good_N: NDArray[np.bool_], importance_N: NDArray[np.float64]) -> Network:
    """Train a network to about the least loss. Good examples weigh as much as junk."""
    center, spread = inputs_NF.mean(0), np.maximum(inputs_NF.std(0), 1e-6)
    x = np.clip((inputs_NF - center) / spread, -FAR, FAR)
    x = np.concatenate([x, np.ones((len(x), 1))], 1)
    good = good_N.astype(np.float64)
    importance = importance_N * np.where(good_N, 0.5 / importance_N[good_N].sum(), 0.5 / importance_N[~good_N].sum())
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.3 / x.shape[1] ** 0.5, (x.shape[1], HIDDEN)), rng.normal(0, 0.3, HIDDEN + 1)]
    mean, square = ([np.zeros_like(one) for one in weights] for _ in range(2))
    for step in range(1, STEPS + 1):
        hidden = np.concatenate([np.tanh(x @ weights[0]), np.ones((len(x), 1))], 1)
        errors = importance * (1 / (1 + np.exp(-np.clip(hidden @ weights[1], -50, 50))) - good)
        back = errors[:, None] * weights[1][:-1] * (1 - hidden[:, :-1] ** 2)
        slopes = [x.T @ back + PENALTY * weights[0], hidden.T @ errors + PENALTY * weights[1]]
        rate = RATE * (1 - (step - 1) / STEPS)
        for number, slope in enumerate(slopes):
            mean[number] += 0.1 * (slope - mean[number])
            square[number] += 0.01 * (slope**2 - square[number])
            step_size = rate / (1 - 0.9**step)
            weights[number] -= step_size * mean[number] / (np.sqrt(square[number] / (1 - 0.99**step)) + 1e-12)
    return Network(*(one.astype(np.float32) for one in (center, spread, *weights)))
