"""What the trainer hands on: randomness that follows from the seed, and the progress of the run."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness.tiny import tiny_model
from tests.train.conftest import go, small
from tuili.data.packing import Block, pack
from tuili.data.stream import StreamState, prefetch
from tuili.model import load_model
from tuili.train.dist.group import SingleProcess
from tuili.train.execution import ExecutionPlan
from tuili.train.objective import Objective, ObjectiveResult
from tuili.train.trainer import Trainer, TrainingSetup


class EmptyBlocks:
    """A stream of blocks without a document."""

    def __init__(self, state: StreamState) -> None:
        self.state = state

    def __iter__(self) -> EmptyBlocks:
        return self

    def __next__(self) -> Block:
        return pack([[]], 8, 0)


def draws(seed: int, first: int = 0) -> dict[int, list[tuple[float, ...]]]:
    """What blocks `first` to 2 draw in a run of this seed: from torch's own generator, then from that of the exits."""
    model, _ = tiny_model()
    drawn = {}

    def objective(block: Block, progress: float, exits: torch.Generator) -> ObjectiveResult:
        drawn[first + len(drawn)] = [tuple(torch.rand(3, generator=generator).tolist()) for generator in (None, exits)]
        return ObjectiveResult(model.lm_head.weight.sum(), {})

    plan = ExecutionPlan("fp32", 1, torch.device("cpu"), compiled=False, kernels="torch")
    setup = TrainingSetup(
        small(f"train.seed={seed}", steps=3), plan, model, objective, lambda state: prefetch(EmptyBlocks(state))
    )
    with Trainer(setup, None, SingleProcess()) as trainer:
        trainer.state.step = first
        for _ in trainer.steps(stop=lambda: False):
            pass
    return drawn


def test_a_block_s_randomness_follows_from_seed_and_number_and_differs_for_each_use() -> None:
    whole, other = draws(seed=1), draws(seed=2)
    assert whole == draws(seed=1)
    assert {number: whole[number] for number in (1, 2)} == draws(seed=1, first=1)
    assert len({numbers for drawn in (whole, other) for pair in drawn.values() for numbers in pair}) == 12


def test_objective_and_curriculum_follow_the_progress_of_the_run(
    few_samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, seen = Objective.__call__, []

    def watched(self: Objective, block: Block, progress: float, *others: Any) -> ObjectiveResult:
        seen.append(progress)
        return learn(self, block, progress, *others)

    monkeypatch.setattr(Objective, "__call__", watched)
    recipe = small(
        "train.accumulation=2",
        "train.compile=off",
        "data.domains=[propositional, arithmetic, geometry]",
        "curriculum.boundaries=[0.3, 0.6]",
        "curriculum.mixture=[[1, 0, 0], [0, 1, 0], [0, 0, 1]]",
        "checkpoint={interval: 1, keep: 3}",
        steps=3,
    )
    go(recipe, tmp_path)
    assert seen == [0, *(step / 3 for step in (0, 0, 1, 1, 2, 2))]  # one pass comes before the steps
    states = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("checkpoints/*/state.json"))]
    drawn = [state["stream"]["drawn"] for state in states]
    for name, stage in (("propositional", 0), ("arithmetic", 1), ("geometry", 2)):
        counts = [0, *(of_step[name] for of_step in drawn)]
        assert [after > before for before, after in pairwise(counts)] == [step == stage for step in range(3)]


def test_a_run_balances_its_routers(few_samples: None, tmp_path: Path) -> None:
    result, _ = go(small("train.compile=off", steps=2), tmp_path)
    assert result.model is not None
    for router in load_model(result.model).model.routers():
        assert router.balance_bias.abs().max() > 0
