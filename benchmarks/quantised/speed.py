"""How fast one model is in each format of numbers: reading a prompt, and writing at batch 1, at full depth.

Weights are random, which does not change the speed. All sides are in memory at once and take turns, so that they see
the same machine.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.engine.peers.sizes import SIZES, build_ours
from benchmarks.harness.record import Figure, time_runs
from tuili.engine import ModelRunner, Numbers, RunnerName, Scheduler, Sequence, SequenceLimits, load_runner
from tuili.model import LoadedModel
from tuili.store import Quantization, Tokenizer

SHORT, LONG, NEW = 32, 256, 64
"""Tokens of a short prompt, in front of what is written, and of a long one; and those that are written."""


class Side(NamedTuple):
    """An engine with its numbers. learnt: the whole numbers of the model."""

    runner: RunnerName
    numbers: Numbers = "auto"
    dtype: torch.dtype = torch.float32
    learnt: Quantization | None = None

    def __str__(self) -> str:
        learnt = "" if self.learnt is None else f", {self.learnt.numbers} as in its folder"
        return f"{self.runner}, {str(self.dtype).removeprefix('torch.')} weights, numbers {self.numbers}{learnt}"


SIDES = {
    "torch_fp16": Side("torch", dtype=torch.float16),
    "fp32": Side("native", "fp32"),
    "bf16": Side("native", "bf16"),
    "int8": Side("native", learnt=Quantization()),
    "w4a8": Side("native", learnt=Quantization("w4a8")),
}
GOALS: Mapping[str, float] = {
    "int8_writing_over_torch_fp16": 3,
    "int8_writing_over_fp32": 3,
    "int8_writing_over_bf16": 1.75,
    "int8_reading_over_fp32": 3,
    "int8_reading_over_bf16": 1.8,
    "w4a8_writing_over_bf16": 2.5,
}
"""The least quotients of two speeds. The memory's limit for int8 over bf16 is 2."""


@dataclass(frozen=True)
class Timed:
    """Work of one side. vocabulary: how many tokens the model knows."""

    runner: ModelRunner
    tokenizer: Tokenizer
    vocabulary: int

    def work(self, prompt: int, new: int) -> Callable[[], None]:
        """Reads a prompt of so many tokens and writes so many."""
        scheduler = Scheduler.of(self.runner, self.tokenizer)
        ids = [random.Random(prompt).randrange(10, self.vocabulary) for _ in range(prompt)]

        def works() -> None:
            text = Sequence(ids, SequenceLimits(new), depth=self.runner.exits[-1], exit_threshold=1.0)
            scheduler.submit(text)
            while scheduler.busy:
                scheduler.step()
            assert len(text.tokens) == new

        return works


def speeds(size: str, threads: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each round: `SIDE_WORK`, of `writing` all its tokens, of `reading` a long prompt."""
    torch.set_num_threads(threads)
    timed, names = list[Callable[[], None]](), list[str]()
    for name, side in SIDES.items():
        one = _timed(size, side, threads)
        names += [f"{name}_{what}" for what in ("whole", "short", "reading")]
        timed += [one.work(SHORT, NEW), one.work(SHORT, 1), one.work(LONG, 1)]
    gc.freeze()  # as the server does: else Python looks through all that was loaded while it writes
    runs = dict(zip(names, (list(figure.runs) for figure in time_runs(*timed, n=rounds)), strict=True))
    for name in SIDES:  # the time of the first token goes to the reading of the prompt
        whole, short = runs.pop(f"{name}_whole"), runs.pop(f"{name}_short")
        runs[f"{name}_writing"] = [a - b for a, b in zip(whole, short, strict=True)]
    return runs


def figures_of(runs: Mapping[str, list[float]]) -> dict[str, Figure]:
    """The speeds in tokens a second, and the quotients of `GOALS`."""
    figures = dict[str, Figure]()
    for name, times in runs.items():
        tokens = NEW - 1 if name.endswith("_writing") else LONG
        figures[name] = Figure("tokens/s", [tokens / (1e-3 * time) for time in times])
    for goal in GOALS:
        one, other = goal.split("_over_")
        slower = figures[f"{other}_{one.rpartition('_')[2]}"]
        figures[goal] = Figure("x", [a / b for a, b in zip(figures[one].runs, slower.runs, strict=True)])
    return figures


def _timed(size: str, side: Side, threads: int) -> Timed:
    """A side with a model of its own."""
    model, tokenizer = build_ours(SIZES[size], side.dtype)
    model.quantize(side.learnt)
    loaded: Any = LoadedModel(model, tokenizer, Path("random weights"))
    runner = load_runner(
        loaded, runner=side.runner, numbers=side.numbers, threads=threads, slots=1, prefix_cache_bytes=0
    )
    return Timed(runner, tokenizer, SIZES[size].vocabulary)
