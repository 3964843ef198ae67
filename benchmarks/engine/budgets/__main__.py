"""Accuracy over tokens and layers on one model: the engine's attempts beside cut reasoning, votes and exit rules.

Self-consistency draws its samples at the engine's chosen depth, so that a sample takes as many layers as an attempt.
Its smaller votes take the first of the same samples. The engine's attempts have the checker, a plain vote has not; a
vote among the samples that the checker takes stands beside it. Tokens are those that were written. Problems are of the
test split, evenly from all domains and levels, under a seed that nothing else uses. They are taken in blocks of one for
each domain and level, and a run that was stopped goes on at its block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
import torch

from benchmarks.engine.budgets.calm import Rule, saturation, softmax
from benchmarks.engine.budgets.methods import TEMPERATURE, Methods, Spent, vote
from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import own_domains
from tuili.eval import paired_difference, wilson_interval
from tuili.model import load_model
from tuili.store import shipped_names
from tuili.tasks import Problem, unseen_problems

LEVELS = (1, 2, 3)
SEED = 7
"""Of the problems."""
Outcomes = dict[str, list[Spent]]
"""What was spent on each problem, by the name of a way and its setting."""


def measure(
    model: str = "nano",
    per_cell: int = 20,
    steps: tuple[int, ...] = (1, 2, 4, 8),
    samples: int = 40,
    votes: tuple[int, ...] = (1, 2, 4, 8, 16, 40),
    thinking: tuple[int, ...] = (8, 16, 32, 48, 64, 96, 128),
    likely: tuple[float, ...] = (0.5, 0.8, 0.9, 0.97),
    margins: tuple[float, ...] = (0.5, 0.8, 0.9, 0.97),
    cosines: tuple[float, ...] = (0.6, 0.75, 0.85, 0.95),
) -> Measured:
    """A point for each setting of each way, and the gain of the engine's attempts over a single one and over votes."""
    setting = {name: value for name, value in locals().items() if name != "per_cell"}
    torch.set_num_threads(1)
    domains = own_domains(model)
    problems = unseen_problems(domains, LEVELS, per_cell, SEED)
    methods, cells, outcomes = Methods(load_model(model)), Cells("budgets", setting), Outcomes()
    for block in range(per_cell):
        chosen = problems[block::per_cell]
        for name, spent in cells.get(str(block), partial(measure_block, methods, chosen, setting)).items():
            outcomes.setdefault(name, []).extend((right, tokens, layers) for right, tokens, layers in spent)
        print(f"bench: budgets: {block + 1} of {per_cell} blocks", flush=True)
    figures: dict[str, Figure] = {}
    for name, spent in outcomes.items():
        way, _, number = name.rpartition("_")
        if not way.endswith("votes") or int(number) in votes:
            figures |= point(name, spent)
    return {
        **setting,
        "model": model if model in shipped_names() else "given",
        "problems": {"n": len(problems), "domains": len(domains), "levels": list(LEVELS), "seed": SEED},
        "temperature": TEMPERATURE,
        "goal": "steps_4 above steps_1; above votes at equal tokens; 8x fewer tokens than votes_40, < 0.1 points lost",
    }, figures | comparisons(outcomes, steps, samples)


def measure_block(methods: Methods, problems: Sequence[Problem], setting: Mapping[str, Any]) -> Outcomes:
    """What every way spends, with every setting, on some problems."""
    outcomes: Outcomes = {f"steps_{most}": methods.steps(problems, most) for most in setting["steps"]}
    drawn = methods.samples(problems, setting["samples"])
    for count in range(1, setting["samples"] + 1):
        for name, checked in (("votes", False), ("checked_votes", True)):
            pairs = zip(problems, drawn, strict=True)
            outcomes[f"{name}_{count}"] = [vote(problem, samples[:count], checked) for problem, samples in pairs]
    for tokens, spent in methods.thinking_budgets(problems, setting["thinking"]).items():
        outcomes[f"thinking_{tokens}"] = spent
    for depth in methods.model.config.exit_layers:
        outcomes[f"depth_{depth}"] = methods.at_depth(problems, depth, 1.0)
    for threshold in setting["likely"]:
        outcomes[f"likely_{threshold}"] = methods.at_depth(problems, "auto", threshold)
    rules: list[Rule] = [(softmax, margin) for margin in setting["margins"]]
    rules += [(saturation, cosine) for cosine in setting["cosines"]]
    for (rule, threshold), spent in zip(rules, methods.calm(problems, rules), strict=True):
        outcomes[f"calm_{rule.__name__}_{threshold}"] = spent
    return outcomes


def point(name: str, spent: Sequence[Spent]) -> dict[str, Figure]:
    """Accuracy with its 95% interval, and mean tokens and layer-steps of a problem."""
    right, n = sum(correct for correct, *_ in spent), len(spent)
    low, high = wilson_interval(right, n)
    return {
        f"{name}_accuracy": Figure("share", [right / n]),
        f"{name}_low95": Figure("share", [low]),
        f"{name}_high95": Figure("share", [high]),
        f"{name}_tokens": Figure("tokens", [mean_tokens(spent)]),
        f"{name}_layer_steps": Figure("layers x tokens", [fmean(layers for *_, layers in spent)]),
    }


def comparisons(outcomes: Outcomes, steps: Sequence[int], samples: int) -> dict[str, Figure]:
    """The gain of more attempts, in points over the same problems, and the tokens of votes over those of attempts."""
    figures: dict[str, Figure] = {}
    one, all_votes = f"steps_{steps[0]}", f"votes_{samples}"
    for most in steps[1:]:
        name = f"steps_{most}"
        equal, share = votes_of(outcomes, mean_tokens(outcomes[name]), samples)
        figures |= in_points(f"{name}_over_{one}", outcomes[name], outcomes[one])
        figures |= in_points(f"{name}_over_{all_votes}", outcomes[name], outcomes[all_votes])
        accuracy = fmean(correct for correct, *_ in outcomes[name])
        figures[f"{name}_over_votes_of_equal_tokens"] = Figure("points", [100 * (accuracy - share)])
        figures[f"{name}_votes_of_equal_tokens"] = Figure("samples", [equal])
        times = mean_tokens(outcomes[all_votes]) / mean_tokens(outcomes[name])
        figures[f"{all_votes}_tokens_over_{name}"] = Figure("x", [times])
    return figures


def votes_of(outcomes: Outcomes, tokens: float, samples: int) -> tuple[float, float]:
    """The number of samples that take so many tokens, and the accuracy of their vote; both are interpolated."""
    counts = range(1, samples + 1)
    spent = [mean_tokens(outcomes[f"votes_{count}"]) for count in counts]
    right = [fmean(correct for correct, *_ in outcomes[f"votes_{count}"]) for count in counts]
    return float(np.interp(tokens, spent, counts)), float(np.interp(tokens, spent, right))


def mean_tokens(spent: Sequence[Spent]) -> float:
    """The mean tokens written for a problem."""
    return fmean(tokens for _, tokens, _ in spent)


def in_points(name: str, one: Sequence[Spent], other: Sequence[Spent]) -> dict[str, Figure]:
    """The difference of accuracy over the same problems, with its 95% interval."""
    points, (low, high) = paired_difference(*([correct for correct, *_ in side] for side in (one, other)))
    values = {name: points, f"{name}_low95": low, f"{name}_high95": high}
    return {key: Figure("points", [100 * value]) for key, value in values.items()}


if __name__ == "__main__":
    run("budgets", measure)
