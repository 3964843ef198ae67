"""Our side of `training`: runs of a recipe by `tuili.train` itself, a few steps each."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rich.console import Console
from transformers import PreTrainedTokenizerFast

from tuili.data.stream import BlockStream, StreamState
from tuili.data.tokenizer import load_tokenizer
from tuili.model import TuiliConfig
from tuili.train.folder import Choices, RunFolder
from tuili.train.log import read_log
from tuili.train.recipe import Recipe
from tuili.train.run import block_stream, build_curriculum, build_model, build_sources, train


@dataclass(frozen=True)
class Segment:
    """The speed of a few training steps: tokens that carry text, and operations of the linear layers, a second."""

    tokens: float
    flops: float


class OurTraining:
    """New runs of one recipe, whose log is read. The first one, which nothing is read from, settles what `auto` means.

    The log's lines must each hold as many steps, and there must be two of them: the first one is not timed.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        with tempfile.TemporaryDirectory() as scratch:
            self._train(Path(scratch))
            folder = RunFolder(Path(scratch), recipe)
            choices = folder.begun(resume=True)
            assert choices is not None
            self.choices: Choices = choices
            self.tokenizer: PreTrainedTokenizerFast = load_tokenizer(folder.tokenizer)
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
