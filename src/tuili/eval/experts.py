"""What the experts do: who serves which domain, how evenly they are loaded, and what is lost without one of
them.

Everything is measured at full depth, where each token of a response meets every routed layer.
Legend of tensor names: D domains, L routed layers, E experts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from tuili.engine import Decoder
from tuili.eval.accuracy import accuracy, paired_difference
from tuili.eval.runner import Trial, run
from tuili.model import TuiliForCausalLM
from tuili.tasks import Problem

Matrix = list[list[float]]
ByDomain = dict[str, list[Problem]]


@dataclass(frozen=True)
class Loss:
    """What a domain's accuracy loses: `points` is a share, `ci95` the interval of the paired difference."""

    points: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class ExpertReport:
    """Rows are `domains` (D), columns are experts (E); shares lie in 0 … 1, accuracies and their changes too.

    `first_share` and `both_share` are the shares of a domain's routings that go to each expert, by the first
    slot and by both. `purity` is the share of first slots that go to the domain's own expert, None for a
    domain without one. `max_violation` is max load / mean load − 1 over both slots for each routed layer, when every
    domain has the same number of tokens, `max_violation_tokens` that of the tokens as they came; None unless every
    expert's domain is there. `accuracy` is that with all experts over `n` problems a domain; `retention` and
    `retention_loss` are with only the `kept` two experts, which are those that other problems of the domain used most.
    `knock_out` is the change when one expert is masked, over the first `knock_out_n` of the problems.
    """

    domains: list[str]
    expert_names: list[str]
    first_share: Matrix
    both_share: Matrix
    purity: dict[str, float | None]
    mean_purity: float
    max_violation: list[float] | None
    max_violation_tokens: list[float] | None
    n: int
    accuracy: dict[str, float]
    kept: dict[str, list[int]]
    retention: dict[str, float]
    retention_loss: dict[str, Loss]
    knock_out_n: int
    knock_out: Matrix


def expert_report(
    model: TuiliForCausalLM,
    decoder: Decoder,
    problems: Sequence[Problem],
    others: Sequence[Problem],
    knock_out_n: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> ExpertReport:
    """Measure the experts on `problems`; `others`, of the same domains, say which experts are kept.

    `decoder` must run `model` at full depth and let each row go as soon as it has ended. It decodes the problems
    twice, and `knock_out_n` of each domain once for each expert. `progress` is called with (finished, total) parts.
    """
    by_domain = _by_domain(problems)
    names, experts = list(by_domain), model.config.num_experts
    every_E = torch.arange(experts, device=model.device)
    own = {name: index for index, name in enumerate(model.config.domains or [])}
    finished, parts = 0, experts + 3

    def done() -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, parts)

    trials, first_DLE, both_DLE = _routed(model, decoder, by_domain)
    done()
    _, _, others_DLE = _routed(model, decoder, _by_domain(others))
    done()
    first_DE, both_DE = _shares(first_DLE.sum(1)), _shares(both_DLE.sum(1))
    purity = {name: float(first_DE[row, own[name]]) if name in own else None for row, name in enumerate(names)}
    known = [value for value in purity.values() if value is not None]
    most_used_D2 = others_DLE.sum(1).topk(min(2, experts)).indices
    kept = dict(zip(_by_domain(others), most_used_D2.tolist(), strict=True))
    few = list(chain.from_iterable(own_problems[:knock_out_n] for own_problems in by_domain.values()))
    retained: dict[str, list[Trial]] = {}
    knock_out_ED = []
    try:
        for name in names:
            model.restrict_experts(torch.isin(every_E, torch.tensor(kept[name], device=every_E.device)))
            retained[name] = run(decoder, by_domain[name])
        done()
        for expert in range(experts):
            model.restrict_experts(every_E != expert)
            masked = run(decoder, few)
            knock_out_ED.append([_change(name, masked, trials[name][:knock_out_n]) for name in names])
            done()
    finally:
        model.restrict_experts(None)
    complete = set(own) <= set(names) and len(own) == experts
    return ExpertReport(
        domains=names,
        expert_names=list(model.config.domains or [str(expert) for expert in range(experts)]),
        first_share=first_DE.tolist(),
        both_share=both_DE.tolist(),
        purity=purity,
        mean_purity=sum(known) / len(known) if known else 0.0,
        max_violation=max_violation(_shares(both_DLE).sum(0)) if complete else None,
        max_violation_tokens=max_violation(both_DLE.sum(0)) if complete else None,
        n=min(map(len, by_domain.values())),
        accuracy={name: accuracy(trials[name]) for name in names},
        kept=kept,
        retention={name: accuracy(retained[name]) for name in names},
        retention_loss={name: _loss(trials[name], retained[name]) for name in names},
        knock_out_n=min(knock_out_n, *map(len, by_domain.values())),
        knock_out=[list(row) for row in zip(*knock_out_ED, strict=True)],
    )


def max_violation(load_LE: Tensor) -> list[float]:
    """MaxVio of each layer (Wang et al. 2024): max load / mean load − 1."""
    return [float(value) for value in load_LE.amax(-1) / load_LE.mean(-1).clamp_min(1e-12) - 1]


def _by_domain(problems: Sequence[Problem]) -> ByDomain:
    grouped: ByDomain = {}
    for problem in problems:
        grouped.setdefault(problem.domain, []).append(problem)
    return grouped


def _routed(
    model: TuiliForCausalLM, decoder: Decoder, by_domain: ByDomain
) -> tuple[dict[str, list[Trial]], Tensor, Tensor]:
    """The trials of each domain, and its routing counts of the first slot and of both slots, both [D, L, E]."""
    trials, first, both = {}, [], []
    for name, problems in by_domain.items():
        with model.record_routing() as record:
            trials[name] = run(decoder, problems)
        first.append(torch.stack([layer.first_E for layer in record.layers]).double().cpu())
        both.append(torch.stack([layer.all_E for layer in record.layers]).double().cpu())
    return trials, torch.stack(first), torch.stack(both)


def _change(domain: str, after: Sequence[Trial], before: Sequence[Trial]) -> float:
    return accuracy([trial for trial in after if trial.problem.domain == domain]) - accuracy(before)


def _loss(before: Sequence[Trial], after: Sequence[Trial]) -> Loss:
    return Loss(*paired_difference([trial.correct for trial in before], [trial.correct for trial in after]))


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum(-1, keepdim=True).clamp_min(1)
