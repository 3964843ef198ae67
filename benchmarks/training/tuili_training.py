"""Our side of the benchmark `training`: runs of a recipe by `tuili.train`, a few steps each. Mixtral's is `mixtral`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.console import Console

from tuili.data import BlockStream
from tuili.model import TuiliConfig
from tuili.store import Tokenizer
from tuili.train import ExecutionPlan, Recipe, TrainingResult, build_model, read_log, train, training_stream


@dataclass(frozen=True)
class Segment:
    """The speed of a few training steps: tokens that carry text, and operations of the linear layers, a second."""

    tokens: float
    flops: float


class TuiliTraining:
    """New runs of one recipe, whose speed is read from their logs. A first run settles what the recipe's `auto` means.

    A log must have at least two lines, each of as many steps. The first line is not timed.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        with tempfile.TemporaryDirectory() as scratch:
            self.plan: ExecutionPlan = self._train(Path(scratch)).plan
            self.tokenizer: Tokenizer = Tokenizer.load(Path(scratch, "tokenizer"))
        self.recipe = self.plan.applied_to(recipe)
        self.config: TuiliConfig = build_model(recipe.model, self.tokenizer).config

    def _train(self, out: Path) -> TrainingResult:
        return train(self.recipe, out, console=Console(quiet=True))

    def stream(self) -> BlockStream:
        """The blocks of a run, in order."""
        return training_stream(self.recipe, self.tokenizer)

    def segment(self) -> Segment:
        """Run the recipe and return its speed after the first line of the log."""
        with tempfile.TemporaryDirectory() as scratch:
            self._train(Path(scratch))
            return segment_of(Path(scratch))


def segment_of(run: Path) -> Segment:
    """The speed of a run after the first line of its log, which must have at least two."""
    lines = read_log(run)
    seconds = [after["seconds"] - before["seconds"] for before, after in pairwise(lines)]
    tokens, gflops = (
        sum(line[f"{key}_per_second"] * took for line, took in zip(lines[1:], seconds, strict=True)) / sum(seconds)
        for key in ("tokens", "gflops")
    )
    return Segment(tokens, gflops * 1e9)
