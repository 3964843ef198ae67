"""Our side of the benchmark `training`: runs of a recipe by `tuili.train`, a few steps each. Mixtral's is `mixtral`."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.console import Console

from tuili.data import BlockStream, StreamState
from tuili.model import TuiliConfig
from tuili.store import Tokenizer
from tuili.train.folder import Choices, RunFolder
from tuili.train.log import read_log
from tuili.train.recipe import Recipe
from tuili.train.run import block_stream, build_curriculum, build_model, build_sources, train


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
            self._train(Path(scratch))
            folder = RunFolder(Path(scratch), recipe)
            choices = folder.begun(resume=True)
            assert choices is not None
            self.choices: Choices = choices
            self.tokenizer: Tokenizer = Tokenizer.load(folder.tokenizer)
        self.recipe = choices.laid_over(recipe)
        self.config: TuiliConfig = build_model(recipe.model, self.tokenizer).config

    def _train(self, out: Path) -> None:
        train(self.recipe, out, console=Console(quiet=True))

    def stream(self) -> BlockStream:
        """The blocks of a run, in order."""
        sources = build_sources(self.recipe.data, self.recipe.train.seed)
        return block_stream(self.recipe.train, build_curriculum(self.recipe), sources, self.tokenizer, StreamState())

    def segment(self) -> Segment:
        """Run the recipe and return its speed after the first line of the log."""
        with tempfile.TemporaryDirectory() as scratch:
            self._train(Path(scratch))
            lines = read_log(Path(scratch))
        seconds = [after["seconds"] - before["seconds"] for before, after in pairwise(lines)]
        tokens, gflops = (
            sum(line[f"{key}_per_second"] * took for line, took in zip(lines[1:], seconds, strict=True)) / sum(seconds)
            for key in ("tokens", "gflops")
        )
        return Segment(tokens, gflops * 1e9)
