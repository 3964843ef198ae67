"""Metrics of a verifier, and its calibration: first errors, ranking of right above wrong, and calibration errors.

`chains` is responsible for the labels of chains. Dimensions: C chains, E ends of steps and answers, N tokens,
T candidate thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tuili.engine import calibration_error
from tuili.errors import TooFew
from tuili.model import LOG_PROBABILITY_SCALE, Verifier, probabilities
from tuili.posttrain.verifier.chains import CORRECT, GENERATED, UNKNOWN_LABEL
from tuili.posttrain.verifier.examples import Examples
from tuili.posttrain.verifier.fit import predict_logits
from tuili.store import SCALAR_FEATURES, Curve, VerifierCalibration
from tuili.tasks import MUTATION_KINDS

THRESHOLD_CANDIDATES = 200
"""Quantiles of the probabilities that are tried as thresholds."""
THRESHOLD_SEARCH_PASSES = 2
LOG_PROBABILITY_FEATURE = -SCALAR_FEATURES
"""The index of the feature for a token's log-probability at full depth, divided by `LOG_PROBABILITY_SCALE`."""

Thresholds = tuple[float, float]
"""The probabilities below which a step, and an answer, counts as wrong."""


def first_flagged(examples: Examples, chance_E: Tensor, thresholds: Thresholds) -> Tensor:
    """For each chain the number of its first end whose probability is below its threshold, -1 if there is none: [C]."""
    none, number_E = len(chance_E), torch.arange(len(chance_E))
    begin_C = torch.full((len(examples),), none).scatter_reduce(0, examples.chain_E, number_E, "amin")
    flagged = (chance_E < torch.tensor(thresholds)[examples.last_E.long()]).nonzero()[:, 0]
    first_C = torch.full((len(examples),), none).scatter_reduce(0, examples.chain_E[flagged], flagged, "amin")
    return torch.where(first_C < none, first_C - begin_C, -1)


def first_error_shares(
    examples: Examples, chance_E: Tensor, thresholds: Thresholds, kinds: Sequence[str]
) -> tuple[float, float]:
    """The share of right chains in which no error is named, and of mutants of these kinds whose first error is named.

    The first end with a probability below its threshold names the error; an error that shows only in the answer is
    named by the answer's end. ProcessBench (Zheng et al. 2024, arXiv 2412.06559) reports the `f1` of the two shares.
    """
    hit_C = (first_flagged(examples, chance_E, thresholds) == examples.wrong_C).double()
    wrong_C = examples.from_sources(*kinds) & examples.known_C & (examples.wrong_C >= 0)
    return float(hit_C[examples.from_sources(CORRECT)].mean()), float(hit_C[wrong_C].mean())


def f1(shares: tuple[float, float]) -> float:
    """The harmonic mean of two shares."""
    return 2 * shares[0] * shares[1] / max(sum(shares), 1e-9)


def best_thresholds(examples: Examples, chance_E: Tensor, kinds: Sequence[str]) -> Thresholds:
    """The thresholds with the best `f1` on these chains: searches first one value for both, then each in turn."""

    def best(candidates: Iterable[Thresholds]) -> Thresholds:
        return max(candidates, key=lambda pair: f1(first_error_shares(examples, chance_E, pair, kinds)))

    share_T = torch.linspace(0, 1, THRESHOLD_CANDIDATES)
    steps, answers = (chance_E[of].quantile(share_T).unique().tolist() for of in (~examples.last_E, examples.last_E))
    thresholds = best((each, each) for each in (*steps, *answers))
    for _ in range(THRESHOLD_SEARCH_PASSES):
        thresholds = best((step, thresholds[1]) for step in (thresholds[0], *steps))
        thresholds = best((thresholds[0], answer) for answer in (thresholds[1], *answers))
    return thresholds


def isotonic_curve(logit: Tensor, is_right: Tensor) -> Curve:
    """The rising curve that fits best: neighbours that do not rise are pooled (Zadrozny and Elkan 2002).

    No probability is 0 or 1: with n logits it is at least 1 / (n + 2) and at most 1 - 1 / (n + 2).
    Without any logits the curve is constant at one half.
    """
    if not len(logit):
        return ((0.0, 0.5), (1.0, 0.5))
    right_first = is_right.long().argsort(descending=True, stable=True)  # so that equal logits are pooled
    order = right_first[logit[right_first].argsort(stable=True)]
    pools: list[tuple[int, float, float]] = []  # how many, sum of logits, how many are right
    for pool in zip([1] * len(order), logit[order].tolist(), is_right[order].double().tolist(), strict=True):
        while pools and pools[-1][2] * pool[0] >= pool[2] * pools[-1][0]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    least = 1 / (len(order) + 2)
    points = [(logits / count, min(max(right / count, least), 1 - least)) for count, logits, right in pools]
    return tuple(points) if len(points) > 1 else (points[0], (points[0][0] + 1, points[0][1]))


def calibrate_verifier(verifier: Verifier, validation: Examples, kinds: Sequence[str]) -> VerifierCalibration:
    """Probabilities fitted to what the model wrote itself, and the thresholds that best name errors of these kinds.

    Raises `TooFew` if the model has ended none of its responses.
    """
    logit_E = predict_logits(verifier, validation)[validation.end_E]
    label_E, last_E = validation.label_N[validation.end_E], validation.last_E
    generated_E = validation.from_sources(GENERATED)[validation.chain_E] & (label_E != UNKNOWN_LABEL)
    if not generated_E.any():
        raise TooFew("the model ended none of its answers to the validation problems: train it further")
    step, answer = (
        isotonic_curve(logit_E[generated_E & of], label_E[generated_E & of] == 1) for of in (~last_E, last_E)
    )
    calibration = VerifierCalibration(step, answer)
    chance_E = probabilities(calibration, logit_E, last_E)
    return replace(calibration, thresholds=best_thresholds(validation, chance_E, kinds))


def verifier_figures(
    examples: Examples, chance_E: Tensor, thresholds: Thresholds, held_out: Sequence[str]
) -> dict[str, float]:
    """All figures of a verifier, from the probabilities that it gives to the ends of chains.

    `f1_KIND` and `named_KIND` for each kind of error, for all that were `held_out`, and for all others as `seen`;
    `right_kept`; and for `step` and `answer` the number and, if there are any, the share that is right, `auroc` and
    `ece`.
    """
    figures: dict[str, float] = {}
    seen = [kind for kind in MUTATION_KINDS if kind not in held_out]
    groups = {"held_out": held_out, "seen": seen} | {kind: [kind] for kind in MUTATION_KINDS}
    for name, kinds in groups.items():
        shares = first_error_shares(examples, chance_E, thresholds, kinds)
        if shares[1] == shares[1]:  # there are mutants of these kinds
            figures |= {f"f1_{name}": f1(shares), f"named_{name}": shares[1]}
            figures["right_kept"] = shares[0]
    label_E, last_E = examples.label_N[examples.end_E], examples.last_E
    generated_E = examples.from_sources(GENERATED)[examples.chain_E] & (label_E != UNKNOWN_LABEL)
    for name, of_E in (("answer", generated_E & last_E), ("step", generated_E & ~last_E)):
        chance, is_right = chance_E[of_E], label_E[of_E] == 1
        figures[f"{name}s"] = len(chance)
        if not len(chance):
            continue
        figures |= {
            f"{name}_right": float(is_right.float().mean()),
            f"{name}_auroc": auroc(chance, is_right),
            f"{name}_ece": calibration_error(chance.double().numpy(), is_right.numpy()),
        }
    return figures


def auroc(chance: Tensor, is_right: Tensor) -> float:
    """How often a right example has a higher probability than a wrong one; ties count half. 0.5 without both kinds."""
    _, place, count = chance.unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2).double()[place]
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    if not right or not wrong:
        return 0.5
    return float((rank[is_right].sum() - right * (right + 1) / 2) / (right * wrong))


def min_token_probability(examples: Examples) -> Tensor:
    """The lowest probability at full depth of a token of each step or answer, [E]. It needs no training."""
    step_N = torch.zeros(len(examples.label_N), dtype=torch.long)
    step_N[examples.end_E[:-1] + 1] = 1
    step_N = step_N.cumsum(0)
    log_N = examples.feature_NF[:, LOG_PROBABILITY_FEATURE].float() * LOG_PROBABILITY_SCALE
    return torch.zeros(len(examples.end_E)).scatter_reduce(0, step_N, log_N, "amin").exp()
