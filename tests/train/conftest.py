"""Runs of a model that trains in moments."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

from tests.processes import start_quickly
from tests.train.faulty import FEW_PROBLEMS, FEW_SAMPLES
from tuili.config import load_recipe
from tuili.data import sources
from tuili.train.checkpoint import read_checkpoint
from tuili.train.recipe import Recipe
from tuili.train.run import TrainingResult, train

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "moe_intermediate_size": 16,
    "trunk_layers": 1,
    "group_layers": 1,
    "router_exploration": 0.1,
}


@pytest.fixture
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn the tokenizer from little, and check few problems before a run begins."""
    monkeypatch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", FEW_SAMPLES)
    monkeypatch.setattr(sources, "CHECKED_PROBLEMS", FEW_PROBLEMS)


@pytest.fixture(scope="module")
def as_in_faulty_runs() -> Iterator[None]:
    """Few samples, and as many threads as the commands of `faulty` get: others may add up in another order.

    Replicas are copies of a process; those of the commands are started as users' are.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "TOKENIZER_SAMPLE_RECORDS", FEW_SAMPLES)
        patch.setattr(sources, "CHECKED_PROBLEMS", FEW_PROBLEMS)
        patch.setenv("OMP_NUM_THREADS", "1")
        start_quickly(patch)
        yield
    torch.set_num_threads(before)


def small(*overrides: str, steps: int = 6) -> Recipe:
    fixed = [
        f"model.overrides={SMALL}",
        f"train.steps={steps}",
        "train.rows=2",
        "train.length=192",
        "train.replicas=1",
        "train.precision=fp32",
        "train.compile=off",
        "data.domains=[propositional, arithmetic]",
        "data.levels=[1]",
        "schedule.warmup=2",
        "log.interval=2",
        "checkpoint.interval=4",
    ]
    return load_recipe("base", [*fixed, *overrides], Recipe)


def go(recipe: Recipe, out: Path, resume: bool = False) -> tuple[TrainingResult, str]:
    """The result, and what was shown on the way."""
    screen = io.StringIO()
    return train(recipe, out, resume=resume, console=Console(file=screen)), screen.getvalue()


def assert_same_checkpoint(out: Path, expected: Path, step: int) -> None:
    """By the bits of all tensors, whoever has written them."""
    ours, theirs = (read_checkpoint(folder / "checkpoints", step).tensors for folder in (out, expected))
    assert ours.keys() == theirs.keys()
    for group, named in theirs.items():
        assert ours[group].keys() == named.keys()
        for name, value in named.items():
            assert torch.equal(ours[group][name], value), f"{group}: {name}"
