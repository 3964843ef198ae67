"""What saving costs a run: steps behind a checkpoint that is written beside them, or before them, against steps alone.

Windows of so many steps take turns in one process, each with an order of its own in each round: `alone` saves nothing,
`beside` saves first and steps while the checkpoint is written, `before` waits until it is on the disk. Figures:

- `WAY_seconds`: a window, the saving in it included; `WAY_cost`: what it takes more than `alone` of the same round;
- `held_up`: the share of `beside` in which saving has held up the steps, for the copy and for the write before;
- `parameters`, and `checkpoint`: the bytes on the disk.

A checkpoint has the weights and AdamW's two moments, in fp32.
"""

from __future__ import annotations

import random
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.record import Figure
from tuili.config import load_recipe
from tuili.data import Block
from tuili.model import TuiliForCausalLM
from tuili.store import Tokenizer
from tuili.train import CheckpointManager, Objective, Recipe, build_model, train, training_stream

WAYS = ("alone", "beside", "before")
SIZE = "model.overrides={hidden_size: 448, intermediate_size: 1344, moe_intermediate_size: 320}"


def measure(
    recipe: str = "base",
    steps: int = 20,
    rounds: int = 5,
    threads: int = 2,
    overrides: tuple[str, ...] = (SIZE,),
    folder: str = "",
) -> Measured:
    """Seconds and shares by the way of saving. steps: of a window. folder: on the disk to measure, by default the
    system's own for scratch files."""
    torch.set_num_threads(threads)
    settings = load_recipe(recipe, (*overrides, "train.device=cpu"), Recipe)
    with tempfile.TemporaryDirectory(dir=folder or None) as scratch:
        first = settings.model_copy(update={"train": settings.train.model_copy(update={"steps": 1, "replicas": 1})})
        train(first, Path(scratch, "run"), console=Console(quiet=True))
        tokenizer = Tokenizer.load(Path(scratch, "run", "tokenizer"))
        model = build_model(settings.model, tokenizer)
        learner = Learner(model, settings, tokenizer, steps, Path(scratch, "saved"))
        seconds = {way: list[float]() for way in WAYS}
        learner.window("before")  # the first steps, and the first checkpoint, are slower
        learner.checkpoints.stall, held_up = 0.0, list[float]()
        for number in range(rounds):
            for way in random.Random(number).sample(WAYS, len(WAYS)):
                stall = learner.checkpoints.stall
                seconds[way].append(learner.window(way))
                if way == "beside":
                    held_up.append((learner.checkpoints.stall - stall) / seconds[way][-1])
        size = sum(file.stat().st_size for file in learner.newest().iterdir())
    times = {way: Figure("s", values) for way, values in seconds.items()}
    costs = {way: Figure("share", [cost - 1 for cost in ratio(times[way], times["alone"]).runs]) for way in WAYS[1:]}
    parameters = sum(parameter.numel() for parameter in model.parameters())
    settled = {"recipe": recipe, "steps": steps, "rounds": rounds, "threads": threads, "overrides": list(overrides)}
    return settled | {"goal": "beside_cost <= 0.02"}, {
        **{f"{way}_seconds": figure for way, figure in times.items()},
        **{f"{way}_cost": figure for way, figure in costs.items()},
        "held_up": Figure("share", held_up),
        "parameters": Figure("parameters", [parameters]),
        "checkpoint": Figure("bytes", [size]),
    }


class Learner:
    """A model that learns, and the checkpoints of it."""

    def __init__(self, model: TuiliForCausalLM, recipe: Recipe, tokenizer: Tokenizer, steps: int, folder: Path) -> None:
        self._model, self._steps, self._folder, self._done = model.train(), steps, folder, 0
        self._bf16 = recipe.train.precision == "bf16"
        self._objective, self._generator = Objective(recipe.objective, model), torch.Generator()
        self._adamw = torch.optim.AdamW(model.parameters(), lr=recipe.optimizer.learning_rate, fused=True)
        self._blocks = cycle(islice(training_stream(recipe, tokenizer), steps))
        self.checkpoints = CheckpointManager(folder, 2, print)

    def window(self, way: str) -> float:
        """The seconds of so many steps, and of saving the state before them or beside them."""
        begun = time.perf_counter()
        if way != "alone":
            self._save()
        if way == "before":
            self.checkpoints.close()
        for block in islice(self._blocks, self._steps):
            self._step(block)
            self.checkpoints.check()
        seconds = time.perf_counter() - begun
        self.checkpoints.close()  # what is left of it must not burden the next window, and does not where steps suffice
        return seconds

    def newest(self) -> Path:
        """The folder of the newest checkpoint."""
        return max(self._folder.iterdir())

    def _save(self) -> None:
        names = [name for name, _ in self._model.named_parameters()]
        moments = {
            f"{name}:{quantity}": value
            for name, state in zip(names, self._adamw.state.values(), strict=bool(self._adamw.state))
            for quantity, value in state.items()
        }
        self.checkpoints.save(self._done, {"model": self._model.state_dict(), "optimizer": moments}, {})

    def _step(self, block: Block) -> None:
        self._generator.manual_seed(self._done)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            loss = self._objective(block, 0.5, self._generator).loss
        self._adamw.zero_grad()
        loss.backward()
        self._adamw.step()
        self._done += 1


if __name__ == "__main__":
    run("saving", measure)
