"""How many times as fast a model writes where tokens leave early as at full depth, in processor time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.harness.cells import Cells
from benchmarks.harness.record import Figure
from benchmarks.imported.quality.drafts import KEPT_BYTES, write
from benchmarks.imported.quality.ours import Ours
from tuili.engine import Numbers, Scheduler
from tuili.store import ImportedModel

CELL = 16
"""Prompts of a cell."""


def over_full(
    cells: Cells,
    name: str,
    ours: Ours,
    model: ImportedModel,
    prompts: Sequence[list[int]],
    numbers: Numbers,
    threshold: float,
) -> dict[str, Figure]:
    """The quotients of all cells at a threshold, for prompts one and 16 at a time, both depths in turns."""

    def in_turns(part: Sequence[list[int]], together: int) -> dict[str, float]:
        scheduler = Scheduler.of(ours.runner(numbers, 1, KEPT_BYTES), model.tokenizer)
        seconds = {"full": 0.0, "auto": 0.0}
        for turn, first in enumerate(range(0, len(part), together)):
            for depth in ("full", "auto") if turn % 2 else ("auto", "full"):
                texts, full = part[first : first + together], depth == "full"
                _, took = write(scheduler, texts, ours.full if full else "auto", threshold)
                seconds[depth] += took
        return seconds

    figures = {}
    for together in (1, CELL):
        found = [
            cells.get(f"{name}/writing/{together}/{first}", partial(in_turns, prompts[first : first + CELL], together))
            for first in range(0, len(prompts), CELL)
        ]
        figures[f"{name}_{together}_over_full"] = Figure("x", [cell["full"] / cell["auto"] for cell in found])
    return figures
