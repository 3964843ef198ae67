"""Our side of `training`: the loop of a recipe on its own stream of blocks, a few steps at a time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import PreTrainedTokenizerFast

from tuili.data.stream import BlockStream, StreamState
from tuili.model.kernels import set_fused
from tuili.train.checkpoint import Checkpoints
from tuili.train.curriculum import Curriculum
from tuili.train.log import LogConfig, TrainingLog
from tuili.train.loop import Training, fit
from tuili.train.objective import Objective
from tuili.train.precision import can_compile
from tuili.train.recipe import Recipe
from tuili.train.run import build_model, build_sources, choose_precision


@dataclass(frozen=True)
class Segment:
    """The speed of a few training steps: tokens that carry text, and operations of the linear layers, a second."""

    tokens: float
    flops: float


class OurTraining:
    """A recipe's training, a segment at a time; weights go on from one segment to the next, all else starts anew."""

    def __init__(self, recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> None:
        self.recipe, self.tokenizer = recipe, tokenizer
        self.sources = build_sources(recipe.data, recipe.train.seed)
        self.curriculum = Curriculum(recipe.curriculum, recipe.data.domain_names, {})
        torch.manual_seed(recipe.train.seed)
        self.model = build_model(recipe.model, tokenizer).train()
        self.compiled = can_compile(recipe.train.compile, torch.device("cpu"))
        set_fused(self.model, self.compiled)
        self.objective = Objective(recipe.objective, self.model)
        block = next(self.stream(StreamState()))
        self.precision = choose_precision(recipe.train.precision, self.model, self.objective, block, print)

    def stream(self, state: StreamState) -> BlockStream:
        """The blocks of a run of this recipe."""

        def weights(block: int) -> Mapping[str, float]:
            return self.curriculum.weights(min(1.0, block / self.recipe.train.steps))

        size = {"rows": self.recipe.train.rows, "length": self.recipe.train.length}
        return BlockStream(self.sources, self.tokenizer, weights, **size, state=state)

    def segment(self) -> Segment:
        """Train by the recipe's steps and return their speed."""
        with tempfile.TemporaryDirectory() as scratch:
            log = _Stopwatch(Path(scratch), self.recipe.train.steps)
            kept = _NoCheckpoints(Path(scratch), 1, print)
            training = Training(self.recipe, self.model, self.objective, self.precision, self.stream)
            fit(training, lambda _: log, kept)
        ends, tokens, flops = zip(*log.marks, strict=True)
        seconds = ends[-1] - ends[0]
        return Segment(sum(tokens[1:]) / seconds, sum(flops[1:]) / seconds)


class _Stopwatch(TrainingLog):
    def __init__(self, folder: Path, steps: int) -> None:
        super().__init__(LogConfig(interval=steps), folder, Console(quiet=True), first=0, steps=steps, seconds=0.0)
        self.marks: list[tuple[float, int, float]] = []

    def step(self, step: int, figures: Mapping[str, float], *, tokens: int, flops: float) -> None:
        """Note when a step was done, and its work."""
        super().step(step, figures, tokens=tokens, flops=flops)
        self.marks.append((time.perf_counter(), tokens, flops))


class _NoCheckpoints(Checkpoints):
    def save(self, step: int, tensors: object, state: Mapping[str, Any]) -> None:
        """Nothing: a run of a few steps has nothing to keep."""
