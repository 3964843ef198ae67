"""The part about verified drafts: whether they write what full depth writes, and the processor time of both.

Prompts are asked one at a time and 16 at a time, at both depths in turns; half of them are ASDiv-A's questions, half
GSM8K's. The time is that of writing: a prompt is read once and kept for the other depth. A cell is some prompts; cells
of a case that are measured in one go share what drafts are looked up in, as requests of a server do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence as Many
from functools import partial

from benchmarks.harness.record import Figure
from benchmarks.imported.prompts import chats, worked_questions
from benchmarks.imported.quality.measuring import Figures, Measuring
from tuili.engine import Depth, Numbers, Scheduler, Sequence, SequenceLimits

CASES: tuple[tuple[Numbers, int], ...] = (("int8", 1), ("bf16", 1), ("int8", 16))
"""Formats, and prompts at a time."""
CELL = 16
"""Prompts of a cell."""
NEW = 32
"""Tokens that follow each prompt."""
KEPT_BYTES = 2**26
"""Memory for prompts that have been read."""


def drafts(measuring: Measuring) -> Figures:
    """How many prompts verified drafts continue as full depth does, and how many times as fast, by the cells."""
    prompts, figures = prompts_of(measuring), Figures()
    for numbers, together in CASES:
        name, cells = f"drafts_{numbers}_{together}", []
        for first in range(0, len(prompts), CELL):
            measure = partial(in_turns, measuring, prompts[first : first + CELL], numbers, together)
            cells.append(measuring.cells.get(f"drafts/{numbers}/{together}/{len(prompts)}/{first}", measure))
        figures[f"{name}_equal"] = Figure("prompts", [sum(cell["equal"] for cell in cells)])
        figures[f"{name}_prompts"] = Figure("prompts", [len(prompts)])
        figures[f"{name}_over_full"] = Figure("x", [cell["full"] / cell["exact"] for cell in cells])
        whole = sum(cell["full"] for cell in cells) / sum(cell["exact"] for cell in cells)
        figures[f"{name}_over_full_in_all"] = Figure("x", [whole])
    return figures


def prompts_of(measuring: Measuring) -> list[list[int]]:
    """The prompts: each second one is GSM8K's."""
    tokenizer, count = measuring.model.tokenizer, measuring.counts.draft_prompts
    pairs = zip(chats(tokenizer, -(-count // 2)), worked_questions(tokenizer, -(-count // 2)), strict=True)
    return [ids for pair in pairs for ids in pair][:count]


def in_turns(measuring: Measuring, prompts: Many[list[int]], numbers: Numbers, together: int) -> dict[str, float]:
    """Continue prompts, so many at a time: how many are equal, and the processor seconds of each depth."""
    scheduler = Scheduler.of(
        measuring.ours.runner(numbers, 1, KEPT_BYTES, f"drafts of {together}"), measuring.model.tokenizer
    )
    depths: list[tuple[str, Depth]] = [("full", measuring.ours.full), ("exact", "exact")]
    cell = {"equal": 0.0, "full": 0.0, "exact": 0.0}
    for turn, first in enumerate(range(0, len(prompts), together)):
        written = {}
        for name, depth in depths if turn % 2 else reversed(depths):
            written[name], seconds = write(scheduler, prompts[first : first + together], depth)
            cell[name] += seconds
        cell["equal"] += sum(one == other for one, other in zip(*written.values(), strict=True))
    return cell


def write(
    scheduler: Scheduler, prompts: Many[list[int]], depth: Depth, threshold: float = 1.0
) -> tuple[list[list[int]], float]:
    """What follows prompts, and the processor seconds from when all have been read. threshold: for depth `auto`."""
    limits = SequenceLimits(NEW)
    texts = [Sequence(list(prompt), limits, depth=depth, exit_threshold=threshold) for prompt in prompts]
    for text in texts:
        scheduler.submit(text)
    while any(text.first_token_at is None for text in texts):
        scheduler.step()
    begun = time.process_time()
    while scheduler.busy:
        scheduler.step()
    return [text.tokens for text in texts], time.process_time() - begun
