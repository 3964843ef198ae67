"""What the experts do: who serves which domain, how evenly they are loaded, and what is lost without one of
them.

Everything is measured at full depth, where each token of a response meets every routed layer.
Legend of tensor names: D domains, L routed layers, E experts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuili.engine.decode import Decoder
from tuili.eval.accuracy import accuracy
from tuili.eval.runner import run
from tuili.model import TuiliForCausalLM
from tuili.tasks import Problem

Matrix = list[list[float]]


@dataclass(frozen=True)
class ExpertReport:
    """Rows are `domains` (D), columns are experts (E); shares lie in 0 … 1, accuracies and their changes too.

    `first_share` and `both_share` are the shares of a domain's routings that go to each expert, by the first
    slot and by both. `purity` is the share of first slots that go to the domain's own expert, None for a
    domain without one. `max_violation` is max load / mean load − 1 over both slots when every domain has the
    same number of tokens, for each routed layer. `knock_out` is the change of accuracy when one expert is
    masked; `retention` the accuracy with only the `kept` two most used experts of a domain, against
    `accuracy` with all of them, over `n` problems a domain.
    """

    domains: list[str]
    expert_names: list[str]
    first_share: Matrix
    both_share: Matrix
    purity: dict[str, float | None]
    mean_purity: float
    max_violation: list[float]
    n: int
    accuracy: dict[str, float]
    knock_out: Matrix
    kept: dict[str, list[int]]
    retention: dict[str, float]


def expert_report(
    model: TuiliForCausalLM,
    decoder: Decoder,
    problems: Sequence[Problem],
    progress: Callable[[int, int], None] | None = None,
) -> ExpertReport:
    """Measure the experts on `problems`, decoding them E + 2 times. `decoder` must run `model` at full depth.

    `progress` is called with (finished, total) passes over the problems.
    """
    by_domain: dict[str, list[Problem]] = {}
    for problem in problems:
        by_domain.setdefault(problem.domain, []).append(problem)
    names, experts = list(by_domain), model.config.num_experts
    every_E = torch.arange(experts, device=model.device)
    own = {name: index for index, name in enumerate(model.config.domains or [])}
    finished, passes = 0, experts + 2

    def accuracies() -> list[float]:
        nonlocal finished
        trials = run(decoder, problems)
        finished += 1
        if progress is not None:
            progress(finished, passes)
        return [accuracy([trial for trial in trials if trial.problem.domain == name]) for name in names]

    first_DLE, both_DLE = _routing(model, decoder, by_domain)
    first_DE, both_DE = _shares(first_DLE.sum(1)), _shares(both_DLE.sum(1))
    purity = {name: float(first_DE[row, own[name]]) if name in own else None for row, name in enumerate(names)}
    known = [value for value in purity.values() if value is not None]
    kept = {name: both_DE[row].topk(min(2, experts)).indices.tolist() for row, name in enumerate(names)}
    try:
        base = accuracies()
        knock_out_ED = []
        for expert in range(experts):
            model.restrict_experts(every_E != expert)
            knock_out_ED.append([after - before for after, before in zip(accuracies(), base, strict=True)])
        retention = {}
        for name in names:
            model.restrict_experts(torch.isin(every_E, torch.tensor(kept[name], device=every_E.device)))
            retention[name] = accuracy(run(decoder, by_domain[name]))
    finally:
        model.restrict_experts(None)
    if progress is not None:
        progress(passes, passes)
    return ExpertReport(
        domains=names,
        expert_names=list(model.config.domains or [str(expert) for expert in range(experts)]),
        first_share=first_DE.tolist(),
        both_share=both_DE.tolist(),
        purity=purity,
        mean_purity=sum(known) / len(known) if known else 0.0,
        max_violation=max_violation(both_DLE),
        n=min(len(own_problems) for own_problems in by_domain.values()),
        accuracy=dict(zip(names, base, strict=True)),
        knock_out=[list(row) for row in zip(*knock_out_ED, strict=True)],
        kept=kept,
        retention=retention,
    )


def max_violation(counts_DLE: Tensor) -> list[float]:
    """MaxVio of each layer (Wang et al. 2024): max load / mean load − 1, every domain weighing the same."""
    load_LE = _shares(counts_DLE).mean(0)
    return [float(value) for value in load_LE.amax(-1) / load_LE.mean(-1).clamp_min(1e-12) - 1]


def _routing(model: TuiliForCausalLM, decoder: Decoder, by_domain: dict[str, list[Problem]]) -> tuple[Tensor, Tensor]:
    """Routing counts of the first slot and of both slots, both [D, L, E]."""
    first, both = [], []
    for own_problems in by_domain.values():
        with model.record_routing() as record:
            decoder.generate([problem.prompt for problem in own_problems])
        first.append(torch.stack([layer.first_E for layer in record.layers]).double().cpu())
        both.append(torch.stack([layer.all_E for layer in record.layers]).double().cpu())
    return torch.stack(first), torch.stack(both)


def _shares(counts: Tensor) -> Tensor:
    return counts / counts.sum(-1, keepdim=True).clamp_min(1)
