"""Tiny imported models in folders, with and without random exits, and schedulers over both steps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.store.dense_folders import KINDS, save_dense
from tuili.engine import load_scheduler
from tuili.engine.runtime.choice import Choice
from tuili.engine.runtime.native.load import native_fault, native_step
from tuili.engine.runtime.source import ModelSource
from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.torch.load import torch_step
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits
from tuili.store import ExitsFile, ExitsSettings, ImportedModel, exit_tensor_shapes, open_model, write_exits_file

LAYERS = 6
EXITS = (2, 3, 5, 6)
"""Of unequal groups."""
THRESHOLD = 0.6


def dense_folder(
    folder: Path, kind: str, exits: tuple[int, ...] = (), common: np.ndarray | None = None, **overrides: Any
) -> Path:
    """The folder of one of `KINDS` in six layers, with random exits where some are asked for. common: the tokens that
    tell how sure exits are, or all."""
    save_dense(folder, **{**KINDS[kind], "num_hidden_layers": LAYERS, **overrides})
    if exits:
        settings = ExitsSettings(exits, THRESHOLD, rank=5, channels=7)
        draw = np.random.default_rng(3)
        tensors = {
            name: draw.normal(0, 0.5 if "confidence" in name else 0.1, shape).astype(np.float32)
            for name, shape in exit_tensor_shapes(settings, overrides.get("hidden_size", 64)).items()
        }
        write_exits_file(folder, ExitsFile(settings, tensors, common))
    return folder


def opened(folder: Path) -> ImportedModel:
    """The model of such a folder."""
    model = open_model(folder)
    assert isinstance(model, ImportedModel)
    return model


def dense_step(kind: str, model: ImportedModel, slots: int = 4) -> ModelStep[Any]:
    """A step in fp32 over such a model."""
    choice = Choice(kind, "fp32", "fp32")
    if kind == "torch":
        return torch_step(model, choice, None, slots, False)
    assert not native_fault()
    return native_step(model, choice, 1, slots, False)


def dense_scheduler(kind: str, source: ModelSource, slots: int = 4, numbers: str = "fp32", **options: Any) -> Scheduler:
    """A scheduler over such a model."""
    return load_scheduler(source, slots=slots, runner=kind, numbers=numbers, **options)


def asked(prompts: Iterable[list[int]], tokens: int = 20, **settings: Any) -> list[Sequence]:
    """A sequence for each prompt."""
    return [Sequence(list(prompt), SequenceLimits(tokens), **settings) for prompt in prompts]


def run(scheduler: Scheduler, sequences: list[Sequence], check: Callable[[], None] | None = None) -> list[Sequence]:
    """Run sequences together until all have ended."""
    for sequence in sequences:
        scheduler.submit(sequence)
    while scheduler.busy:
        scheduler.step()
        scheduler.check()
        if check is not None:
            check()
    return sequences


def prompts(count: int, longest: int = 40, vocabulary: int = 380) -> list[list[int]]:
    """Prompts of different lengths."""
    draw = np.random.default_rng(11)
    return [draw.integers(3, vocabulary, draw.integers(2, longest)).tolist() for _ in range(count)]
