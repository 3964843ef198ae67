"""The part about budgets: requests that are cut short."""

from __future__ import annotations

from functools import partial

from benchmarks.engine.fuzz import BUDGETS, REQUESTS_PER_ENGINE, fuzz
from benchmarks.harness.computing import Computing
from benchmarks.harness.record import Figure
from benchmarks.imported.quality.measuring import Figures, Measuring


def budgets(measuring: Measuring) -> Figures:
    """How many requests with random budgets overran one, in simulated time. Ends of texts end an answer here."""

    def asked(count: int, seed: int) -> dict[str, int]:
        totals = fuzz(count, seed, Computing("native", "int8"), measuring.model)
        overruns = {f"overran_{name}": totals.overruns[name] for name in BUDGETS}
        return {"offered": totals.offered, "admitted": totals.outcomes.total(), "tokens": totals.tokens} | overruns

    total: dict[str, int] = {}
    requests = measuring.counts.requests
    for seed, first in enumerate(range(0, requests, REQUESTS_PER_ENGINE)):
        count = min(REQUESTS_PER_ENGINE, requests - first)
        cell = measuring.cells.get(f"budgets/{count}/{seed}", partial(asked, count, seed))
        total = {name: total.get(name, 0) + value for name, value in cell.items()}
    return {f"budgets_{name}": Figure("tokens" if name == "tokens" else "requests", [n]) for name, n in total.items()}
