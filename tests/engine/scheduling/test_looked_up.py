"""Drafts that are looked up beside deadlines: a step reads no more rows than deadlines leave time for."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.simulated import Clock
from tests.engine.runtime.dense import EXITS, LAYERS, asked, dense_folder, dense_step, opened, prompts, run
from tuili.engine.request import Depth
from tuili.engine.runtime.draft_plan import DraftPlan
from tuili.engine.runtime.lookup import MAX_TOKENS
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.scheduling.admission import QueueKey
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import Sequence, SequenceLimits

ROW, TOKENS = 1e-3, 20
"""Seconds that a row takes in the trunk, beside nothing; tokens of each text."""
PLAN = DraftPlan({1: 1.0, 16: 1.0})
"""By which all drafts pay."""


class Timed:
    """A scheduler to which rows of the trunk take time, and how many rows its steps read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        model, self.clock, self.rows = opened(folder), Clock(), list[int]()
        step = dense_step("native", model)
        trunk = step.trunk

        def slow_trunk(batch: Any, rows: int) -> None:
            trunk(batch, rows)
            self.rows.append(rows)
            self.clock.now += ROW * rows

        monkeypatch.setattr(step, "trunk", slow_trunk)
        runner = StepRunner(
            step, model.tokenizer.end_ids, prefix_cache=PrefixCache(1 << 20), clock=self.clock, plan=PLAN
        )
        self.scheduler = Scheduler.of(runner, model.tokenizer, clock=self.clock)

    def write(self, depth: Depth, seconds: float | None = None, tokens: int = TOKENS) -> list[Sequence]:
        """Write two texts at a depth, beside one of so many tokens with a deadline in some seconds, if there is one."""
        self.rows.clear()
        *others, urgent = prompts(3)
        sequences = asked(others, TOKENS, depth=depth)
        if seconds is not None:
            sequences.append(Sequence(urgent, SequenceLimits(tokens, deadline=self.clock.now + seconds)))
        for number, sequence in enumerate(sequences):
            self.scheduler.submit(sequence, QueueKey(0, inf, number))  # none is refused
        run(self.scheduler, [])
        return sequences


@pytest.fixture(params=[(), EXITS], ids=["without exits", "with exits"])
def timed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timed:
    """It knows what steps take, and all texts, so that drafts are right."""
    timed = Timed(dense_folder(tmp_path, "llama, tied", request.param), monkeypatch)
    for depth in (LAYERS, "exact", "exact"):
        timed.write(depth)
    timed.write(LAYERS, 60.0)
    return timed


def test_drafts_of_others_make_no_deadline_late(timed: Timed) -> None:
    for milliseconds in range(20, 40, 2):
        timed.scheduler.costs.reset()
        *expected, _ = timed.write(LAYERS, 60.0)
        *exact, urgent = timed.write("exact", 1e-3 * milliseconds, 2)
        assert urgent.limits.deadline is not None
        assert urgent.ended_at is not None
        assert urgent.ended_at <= urgent.limits.deadline
        assert [each.tokens for each in exact] == [each.tokens for each in expected]
    assert len(urgent.tokens) == 2


def test_a_deadline_far_away_leaves_room_for_drafts(timed: Timed) -> None:
    *_, urgent = timed.write("exact", 1.0)
    assert max(timed.rows) == 1 + 2 * (1 + MAX_TOKENS)
    assert len(urgent.tokens) == TOKENS


def test_a_step_with_drafts_is_not_taken_for_one_without(timed: Timed) -> None:
    costs = timed.scheduler.costs
    before = [(cost.expected(2), cost.expected(3)) for cost in (costs.trunk, costs.step)]
    timed.write("exact")
    assert max(timed.rows) == 2 * (1 + MAX_TOKENS)
    assert [(cost.expected(2), cost.expected(3)) for cost in (costs.trunk, costs.step)] == before
