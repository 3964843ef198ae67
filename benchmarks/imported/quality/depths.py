"""The parts about depth and budgets: what leaving early costs, and requests that are cut short."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.engine.fuzz import BUDGETS, REQUESTS_PER_ENGINE, fuzz
from benchmarks.harness.computing import Computing
from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import DATA, WORKED
from benchmarks.imported.quality.measuring import BATCH, Figures, Measuring
from benchmarks.imported.source import has_exits
from tuili.engine import Numbers
from tuili.posttrain import read_texts

LEAVING: tuple[Numbers, ...] = ("bf16", "int8")
"""The formats in which tokens leave early."""
SPLIT_SEED = 1
"""Orders the texts. Which of them are for tests is decided by their questions alone."""
Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]


def exits(measuring: Measuring) -> Figures:
    """What leaving early costs: the accuracy of the next token in texts that exits were not trained on, at full depth
    and at chosen depth, and the share of the layers that ran. Nothing for a model without exits.
    """
    figures: Figures = {}
    if not has_exits(measuring.model):
        return figures
    texts = read_texts([DATA / WORKED], measuring.model.tokenizer, SPLIT_SEED)["test"]
    pairs = [(text.ids[: text.start], text.ids[text.start :]) for text in texts[: measuring.counts.exit_texts]]
    for numbers in LEAVING:
        found = {depth: _read(measuring, pairs, numbers, depth) for depth in (measuring.ours.full, "auto")}
        full, auto = found.values()
        for name, value in (("full", full), ("auto", auto)):
            figures[f"exits_{numbers}_{name}_accuracy"] = Figure("share", [value["right"] / value["tokens"]])
        points = 100 * (auto["right"] - full["right"]) / full["tokens"]
        figures[f"exits_{numbers}_points"] = Figure("points", [points])
        figures[f"exits_{numbers}_layers"] = Figure("share", [auto["layers"] / full["layers"]])
        figures[f"exits_{numbers}_tokens"] = Figure("tokens", [full["tokens"]])
    return figures


def _read(measuring: Measuring, pairs: Pairs, numbers: Numbers, depth: Any) -> dict[str, int]:
    """Tokens, right ones and layers at one depth, over all texts; a batch is a cell."""

    def counted(batch: Pairs) -> dict[str, int]:
        found = measuring.ours.read_forced(batch, numbers, depth)
        both = [(one, token) for text in found for one, token in zip(text.chosen, text.response, strict=True)]
        layers = sum(sum(text.depths) for text in found)
        return {"tokens": len(both), "right": sum(one == token for one, token in both), "layers": layers}

    total = {"tokens": 0, "right": 0, "layers": 0}
    for first in range(0, len(pairs), BATCH):
        key = f"exits/{numbers}/{depth}/{first}"
        cell = measuring.cells.get(key, partial(counted, pairs[first : first + BATCH]))
        total = {name: count + cell[name] for name, count in total.items()}
    return total


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
