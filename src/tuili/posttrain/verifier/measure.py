"""What a verifier is worth: first errors named, right told from wrong, probabilities that mean what they say.

Whether a chain's labels are right is for `chains`. Dimensions: C chains, E ends of steps and answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from tuili.engine import calibration_error
from tuili.errors import InputError
from tuili.model import LOG_PROBABILITY_SCALE, Verifier, probabilities
from tuili.posttrain.verifier.chains import OWN, RIGHT, UNKNOWN
from tuili.posttrain.verifier.features import Examples
from tuili.posttrain.verifier.fit import judged
from tuili.store import SCALAR_FEATURES, Curve, VerifierCalibration
from tuili.tasks import MUTATION_KINDS

THRESHOLDS, TURNS = 200, 2
LIKELIHOOD = -SCALAR_FEATURES
"""The feature that is the log-probability of a token at full depth."""


Thresholds = tuple[float, float]
"""Of steps, and of answers."""


def named(examples: Examples, chance_E: Tensor, thresholds: Thresholds) -> Tensor:
    """For each chain the number of its first end whose probability is below its threshold, -1 if there is none: [C]."""
    none, number_E = len(chance_E), torch.arange(len(chance_E))
    begin_C = torch.full((len(examples),), none).scatter_reduce(0, examples.chain_E, number_E, "amin")
    flagged = (chance_E < torch.tensor(thresholds)[examples.last_E.long()]).nonzero()[:, 0]
    first_C = torch.full((len(examples),), none).scatter_reduce(0, examples.chain_E[flagged], flagged, "amin")
    return torch.where(first_C < none, first_C - begin_C, -1)


def first_error(
    examples: Examples, chance_E: Tensor, thresholds: Thresholds, kinds: Sequence[str]
) -> tuple[float, float]:
    """The share of right chains in which no error is named, and of mutants of these kinds whose first error is.

    An error that only shows in the answer is named by the answer's end. `f1` of the two is what ProcessBench reports
    (Zheng et al. 2024, arXiv 2412.06559).
    """
    hit_C = (named(examples, chance_E, thresholds) == examples.wrong_C).double()
    wrong_C = examples.of(*kinds) & examples.known_C & (examples.wrong_C >= 0)
    return float(hit_C[examples.of(RIGHT)].mean()), float(hit_C[wrong_C].mean())


def f1(shares: tuple[float, float]) -> float:
    """The harmonic mean."""
    return 2 * shares[0] * shares[1] / max(sum(shares), 1e-9)


def best_thresholds(examples: Examples, chance_E: Tensor, kinds: Sequence[str]) -> Thresholds:
    """The thresholds with the best `f1` on these chains: one for both first, then each in turn."""

    def best(candidates: Iterable[Thresholds]) -> Thresholds:
        return max(candidates, key=lambda pair: f1(first_error(examples, chance_E, pair, kinds)))

    share_T = torch.linspace(0, 1, THRESHOLDS)
    steps, answers = (chance_E[of].quantile(share_T).unique().tolist() for of in (~examples.last_E, examples.last_E))
    found = best((each, each) for each in (*steps, *answers))
    for _ in range(TURNS):
        found = best((step, found[1]) for step in (found[0], *steps))
        found = best((found[0], answer) for answer in (found[1], *answers))
    return found


def isotonic(logit: Tensor, is_right: Tensor) -> Curve:
    """The rising curve that fits best: neighbours that do not rise are pooled (Zadrozny and Elkan 2002).

    Nothing is certain: the least and the largest probability are those of one more that is right, and one that is not.
    """
    right_first = is_right.long().argsort(descending=True, stable=True)  # of equal logits, so that these are pooled
    order = right_first[logit[right_first].argsort(stable=True)]
    pools: list[tuple[int, float, float]] = []  # how many, sum of logits, how many are right
    for own in zip([1] * len(order), logit[order].tolist(), is_right[order].double().tolist(), strict=True):
        while pools and pools[-1][2] * own[0] >= own[2] * pools[-1][0]:
            last = pools.pop()
            own = (last[0] + own[0], last[1] + own[1], last[2] + own[2])
        pools.append(own)
    least = 1 / (len(order) + 2)
    points = [(logits / count, min(max(right / count, least), 1 - least)) for count, logits, right in pools]
    return tuple(points) if len(points) > 1 else (points[0], (points[0][0] + 1, points[0][1]))


def calibrate(verifier: Verifier, validation: Examples, kinds: Sequence[str]) -> VerifierCalibration:
    """Probabilities fitted to what the model wrote itself, and the thresholds that name errors of these kinds best.

    Raises `InputError` where the model has written nothing.
    """
    logit_E = judged(verifier, validation)[validation.end_E]
    label_E, last_E = validation.label_N[validation.end_E], validation.last_E
    own_E = validation.of(OWN)[validation.chain_E] & (label_E != UNKNOWN)
    if not own_E.any():
        raise InputError("the model ended none of its answers to the validation problems: train it further")
    step, answer = (isotonic(logit_E[own_E & of], label_E[own_E & of] == 1) for of in (~last_E, last_E))
    calibration = VerifierCalibration(step, answer)
    chance_E = probabilities(calibration, logit_E, last_E)
    return replace(calibration, thresholds=best_thresholds(validation, chance_E, kinds))


def report(examples: Examples, chance_E: Tensor, thresholds: Thresholds, held_out: Sequence[str]) -> dict[str, float]:
    """Every figure of the probabilities that a verifier gives to the ends of chains."""
    figures: dict[str, float] = {}
    seen = [kind for kind in MUTATION_KINDS if kind not in held_out]
    groups = {"held_out": held_out, "seen": seen} | {kind: [kind] for kind in MUTATION_KINDS}
    for name, kinds in groups.items():
        shares = first_error(examples, chance_E, thresholds, kinds)
        if shares[1] == shares[1]:  # there are mutants of these kinds
            figures |= {f"f1_{name}": f1(shares), f"named_{name}": shares[1]}
            figures["right_kept"] = shares[0]
    label_E, last_E = examples.label_N[examples.end_E], examples.last_E
    own_E = examples.of(OWN)[examples.chain_E] & (label_E != UNKNOWN)
    for name, of_E in (("answer", own_E & last_E), ("step", own_E & ~last_E)):
        chance, is_right = chance_E[of_E], label_E[of_E] == 1
        figures |= {
            f"{name}s": len(chance),
            f"{name}_right": float(is_right.float().mean()),
            f"{name}_auroc": auroc(chance, is_right),
            f"{name}_ece": calibration_error(chance.double().numpy(), is_right.numpy()),
        }
    return figures


def auroc(chance: Tensor, is_right: Tensor) -> float:
    """How often a right one has a higher probability than a wrong one; ties count half. 0.5 if there are not both."""
    _, place, count = chance.unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2).double()[place]
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    if not right or not wrong:
        return 0.5
    return float((rank[is_right].sum() - right * (right + 1) / 2) / (right * wrong))


def likelihood(examples: Examples) -> Tensor:
    """What needs no training: the least probability that the full depth gave to a token of each step or answer, [E]."""
    step_N = torch.zeros(len(examples.label_N), dtype=torch.long)
    step_N[examples.end_E[:-1] + 1] = 1
    step_N = step_N.cumsum(0)
    log_N = examples.feature_NF[:, LIKELIHOOD].float() * LOG_PROBABILITY_SCALE
    return torch.zeros(len(examples.end_E)).scatter_reduce(0, step_N, log_N, "amin").exp()
