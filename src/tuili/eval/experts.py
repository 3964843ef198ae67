"""What the experts do: which of them serve which domain, how evenly they are loaded, and what is lost without one.

Everything is measured at full depth, where each token of a response passes through every routed layer. `reporting`
puts the figures into a report.

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
from tuili.eval.runner import ScoredResponse, answer_problems
from tuili.model import TuiliForCausalLM
from tuili.tasks import Problem, own_experts

Matrix = list[list[float]]
ByDomain = dict[str, list[Problem]]


@dataclass(frozen=True)
class AccuracyLoss:
    """The loss of a domain's accuracy: `points` is a share (0 … 1), `ci95` its 95% interval (paired)."""

    points: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class ExpertReport:
    """The tables of the experts. Rows are `domains` (D), columns are experts (E). Shares and accuracies lie in 0 … 1.

    first_share, both_share: shares of a domain's routings that go to each expert, by the first choice and by both.
    purity: the share of first choices that go to the domain's own experts: one, or, in an older model, that of each
    domain that it absorbed; None for a domain without one.
    max_violation: max load / mean load − 1 over both choices, for each routed layer, with equal weight per domain.
    max_violation_tokens: the same with equal weight per token. Both are None unless every expert's domain is present.
    accuracy: that with all experts, over `n` problems per domain.
    kept: the two experts that other problems of the domain used most.
    retention, retention_loss: accuracy with only the kept experts, and its loss.
    knock_out: the change of accuracy if one expert is masked, over the first `knock_out_n` problems of each domain.
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
    retention_loss: dict[str, AccuracyLoss]
    knock_out_n: int
    knock_out: Matrix


def measure_experts(
    model: TuiliForCausalLM,
    decoder: Decoder,
    problems: Sequence[Problem],
    routing_problems: Sequence[Problem],
    knock_out_n: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> ExpertReport:
    """Measure the experts on `problems`; `routing_problems`, from the same domains, determine the experts to keep.

    `decoder` must run `model` at full depth and release each sequence as soon as it has ended. It decodes the problems
    twice, and `knock_out_n` of each domain once for each expert. `progress` is called with (finished, total) parts.
    """
    by_domain = _by_domain(problems)
    names, experts = list(by_domain), model.config.num_experts
    every_E = torch.arange(experts, device=model.device)
    experts_of = {name: own_experts(name, model.config.domains or []) for name in names}
    finished, parts = 0, experts + 3

    def done() -> None:
        nonlocal finished
        finished += 1
        if progress is not None:
            progress(finished, parts)

    responses, first_DLE, both_DLE = _routed(model, decoder, by_domain)
    done()
    _, _, used_DLE = _routed(model, decoder, _by_domain(routing_problems))
    done()
    first_DE, both_DE = _shares(first_DLE.sum(1)), _shares(both_DLE.sum(1))
    purity = {
        name: float(first_DE[row, experts_of[name]].sum()) if experts_of[name] else None
        for row, name in enumerate(names)
    }
    known_purity = [value for value in purity.values() if value is not None]
    most_used_D2 = used_DLE.sum(1).topk(min(2, experts)).indices
    kept = dict(zip(_by_domain(routing_problems), most_used_D2.tolist(), strict=True))
    knock_out_problems = list(chain.from_iterable(group[:knock_out_n] for group in by_domain.values()))
    retained: dict[str, list[ScoredResponse]] = {}
    knock_out_ED = []
    try:
        for name in names:
            model.restrict_experts(torch.isin(every_E, torch.tensor(kept[name], device=every_E.device)))
            retained[name] = answer_problems(decoder, by_domain[name])
        done()
        for expert in range(experts):
            model.restrict_experts(every_E != expert)
            masked = answer_problems(decoder, knock_out_problems)
            knock_out_ED.append([_change(name, masked, responses[name][:knock_out_n]) for name in names])
            done()
    finally:
        model.restrict_experts(None)
    complete = sum(map(len, experts_of.values())) == experts
    return ExpertReport(
        domains=names,
        expert_names=list(model.config.domains or [str(expert) for expert in range(experts)]),
        first_share=first_DE.tolist(),
        both_share=both_DE.tolist(),
        purity=purity,
        mean_purity=sum(known_purity) / len(known_purity) if known_purity else 0.0,
        max_violation=max_violation(_shares(both_DLE).sum(0)) if complete else None,
        max_violation_tokens=max_violation(both_DLE.sum(0)) if complete else None,
        n=min(map(len, by_domain.values())),
        accuracy={name: accuracy(responses[name]) for name in names},
        kept=kept,
        retention={name: accuracy(retained[name]) for name in names},
        retention_loss={name: _loss(responses[name], retained[name]) for name in names},
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
) -> tuple[dict[str, list[ScoredResponse]], Tensor, Tensor]:
    """The responses of each domain, and its routing counts for the first choice and for both, each [D, L, E]."""
    responses, first, both = {}, [], []
    for name, problems in by_domain.items():
        with model.record_routing() as record:
            responses[name] = answer_problems(decoder, problems)
        first.append(torch.stack([layer.first_E for layer in record.layers]).double().cpu())
        both.append(torch.stack([layer.all_E for layer in record.layers]).double().cpu())
    return responses, torch.stack(first), torch.stack(both)


def _change(domain: str, after: Sequence[ScoredResponse], before: Sequence[ScoredResponse]) -> float:
    return accuracy([response for response in after if response.problem.domain == domain]) - accuracy(before)


def _loss(before: Sequence[ScoredResponse], after: Sequence[ScoredResponse]) -> AccuracyLoss:
    return AccuracyLoss(*paired_difference([one.correct for one in before], [one.correct for one in after]))


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum(-1, keepdim=True).clamp_min(1)
