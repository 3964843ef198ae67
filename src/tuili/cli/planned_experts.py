"""How `tuili plan train` shows which process holds which experts: a table, or JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from tuili.cli.options import result_console
from tuili.cli.planned import show_table, told_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuili.planning import ExpertPlan


def show_experts(plan: ExpertPlan, name: str, as_json: bool) -> None:
    """Print a plan on stdout."""
    if as_json:
        print(json.dumps(experts_document(plan), indent=1))
        return
    console, copies = result_console(), plan.processes // plan.expert_parallel
    console.print(
        f"plan of {name}, {plan.parameters:,} parameters, built on the meta device: {plan.processes} processes, "
        f"of which {plan.expert_parallel} divide the experts of each layer, and {copies} the matrices of each expert"
    )
    columns = ("processes", "experts", "parameters", "memory")
    title = "what each holds, with the largest layer gathered; activations come on top, so that it is the least memory"
    show_table(console, title, columns, list(_rows(plan)))
    sent = [
        (way, told_bytes(traffic.weights), told_bytes(traffic.tokens), told_bytes(traffic.weights + traffic.tokens))
        for way, traffic in (("this plan", plan.planned), ("fsdp2 alone", plan.gathered))
    ]
    columns = ("sent by a process in a step", "weights and gradients", "tokens, all to all", "together")
    show_table(console, "", columns, sent)


def experts_document(plan: ExpertPlan) -> dict[str, Any]:
    """A plan as one JSON document."""
    holdings = [asdict(holding) | {"experts": list(holding.experts)} for holding in plan.holdings]
    return asdict(plan) | {"holdings": holdings}


def _rows(plan: ExpertPlan) -> Iterator[tuple[str, ...]]:
    """One row for the processes with the same experts, with the parameters and memory of the largest of them."""
    ordered = sorted(plan.holdings, key=lambda one: (one.experts[0], one.rank))
    for experts, alike in groupby(ordered, key=lambda one: one.experts):
        group = list(alike)
        ranks = ", ".join(str(one.rank) for one in group)
        numbers = str(experts[0]) if len(experts) == 1 else f"{experts[0]} to {experts[-1]}"
        most = max(group, key=lambda one: one.parameters)
        yield ranks, numbers, f"{most.parameters:,}", told_bytes(most.memory)
