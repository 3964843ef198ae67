"""What the loop hands on: randomness that follows from the seed, and the progress of the run."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import tiny_model
from tests.train.conftest import go, small
from tuili.data.packing import Block, pack
from tuili.model import load_model
from tuili.train.loop import Learner, Training
from tuili.train.objective import Objective, ObjectiveResult


def draws(seed: int, number: int) -> list[tuple[float, ...]]:
    """What a block draws in a run of this seed, first from torch's own generator, then from that of the exits."""
    model, _ = tiny_model()
    drawn = []

    def objective(block: Block, progress: float, exits: torch.Generator) -> ObjectiveResult:
        drawn.extend(tuple(torch.rand(3, generator=generator).tolist()) for generator in (None, exits))
        return ObjectiveResult(model.lm_head.weight.sum(), {})

    training = Training(small(f"train.seed={seed}"), model, objective, "fp32", lambda state: None)
    Learner(training, None)._learn(pack([[]], 8, 0), number)
    return drawn


def test_a_block_s_randomness_follows_from_seed_and_number_and_differs_for_each_use() -> None:
    assert draws(1, 7) == draws(1, 7)
    assert len({drawn for place in ((1, 7), (2, 7), (1, 8), (2, 8)) for drawn in draws(*place)}) == 8


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
    outcome, _ = go(small("train.compile=off", steps=2), tmp_path)
    assert outcome.model is not None
    for router in load_model(outcome.model).model.routers():
        assert router.balance_bias.abs().max() > 0
