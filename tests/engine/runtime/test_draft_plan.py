"""What pays: by the costs of rows, many drafts beside one row and none beside many; a batch takes no step more."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.engine.runtime.dense import LAYERS, asked, dense_folder, dense_step, opened, prompts, run
from tuili.engine.runtime import model_runner
from tuili.engine.runtime.draft_plan import MOST_ROWS, TYPICAL_COSTS, TYPICAL_PLAN, DraftPlan
from tuili.engine.runtime.lookup import MAX_TOKENS, LookupDrafts
from tuili.engine.runtime.model_runner import StepRunner
from tuili.engine.runtime.prefix_cache import PrefixCache
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.scheduling.warm_up import warm_up

FREE, BY_ROW = {1: 1.0, 16: 1.0}, {1: 1.0, 16: 16.0}
"""Costs of rows: as if memory, and as if computing alone, took time."""


def test_tokens_are_drafted_as_far_as_they_pay() -> None:
    half = [[0.5**place for place in range(1, 8)]]
    assert DraftPlan(FREE).lengths(half, 1) == [7]
    assert DraftPlan(BY_ROW).lengths(half, 1) == [0]
    assert DraftPlan({1: 1.0, 16: 2.5}).lengths(half, 1) == [2]  # 1.5 / 1.1, 1.75 / 1.2, 1.875 / 1.3 tokens
    assert DraftPlan({1: 1.0, 16: 2.5}).lengths([[]], 1) == [0]


def test_the_surest_tokens_of_all_drafts_are_taken() -> None:
    plan = DraftPlan({1: 1.0, 6: 1.1, 7: 9.0})
    assert plan.lengths([[0.9, 0.2], [0.8, 0.7, 0.6], []], 3) == [1, 2, 0]
    assert plan.lengths([[0.9, 0.2], [0.8, 0.7, 0.6], []], 6) == [0, 0, 0]


def test_gains_too_small_for_the_work_around_them_are_left() -> None:
    assert DraftPlan({1: 1.0, 2: 1.0, 3: 9.0}).lengths([[0.02]], 1) == [0]
    assert DraftPlan({1: 1.0, 2: 1.0, 3: 9.0}).lengths([[0.04]], 1) == [1]


def test_beside_many_sequences_nothing_can_pay() -> None:
    plan = TYPICAL_PLAN
    assert 1 < plan.sequences < 16
    assert plan.lengths([[1.0] * MAX_TOKENS] * 16, 16) == [0] * 16
    assert any(plan.lengths([[1.0] * MAX_TOKENS] * plan.sequences, plan.sequences))
    assert DraftPlan({1: 1.0, 16: 2.8, 17: 2.94}).sequences < 16, "what a busy machine measures"
    assert DraftPlan(BY_ROW).sequences == 0
    assert DraftPlan(FREE).sequences == MOST_ROWS // (1 + MAX_TOKENS)


def planned(folder: Path, slots: int, plan: DraftPlan) -> Scheduler:
    model = opened(folder)
    step = dense_step("native", model, slots)
    runner = StepRunner(step, model.tokenizer.end_ids, prefix_cache=PrefixCache(0), plan=plan)
    return Scheduler.of(runner, model.tokenizer)


@pytest.mark.parametrize("slots", [1, 16])
@pytest.mark.parametrize("plan", [TYPICAL_PLAN, DraftPlan(FREE)], ids=["typical costs", "free rows"])
def test_texts_are_those_without_drafts(slots: int, plan: DraftPlan, tmp_path: Path) -> None:
    """Twice the same texts. Where drafts pay they take fewer steps; where they do not they take the same steps."""
    folder, texts = dense_folder(tmp_path, "llama, tied"), [*prompts(15), [5, 6, 7, 8] * 6]
    steps, written = [count(), count()], list[list[list[int]]]()
    for depth, counted in zip((LAYERS, "exact"), steps, strict=True):
        scheduler = planned(folder, slots, plan)
        for _ in range(2):
            got = run(scheduler, asked(texts, 30, depth=depth), partial(next, counted))
            written.append([each.tokens for each in got])
        if depth == "exact" and slots > plan.sequences:
            assert {each.layer_steps for each in got} == {30 * LAYERS}
    assert all(each == written[0] for each in written)
    full, exact = (next(counted) for counted in steps)
    if slots > plan.sequences:
        assert exact == full
    else:
        assert exact < 0.75 * full


def test_nothing_is_looked_up_where_nothing_can_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LookupDrafts, "propose", None)
    run(planned(dense_folder(tmp_path, "llama"), 16, DraftPlan(BY_ROW)), asked(prompts(16), 10, depth="exact"))


def test_an_engine_decides_by_what_it_measures_in_its_warm_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that a step moves by 8 and each of its rows by 1."""
    model, seconds, made = opened(dense_folder(tmp_path, "llama")), [0.0], list[dict[int, float]]()
    step = dense_step("native", model, 2)
    trunk = step.trunk

    def run_trunk(batch: Any, rows: int) -> None:
        trunk(batch, rows)
        seconds[0] += 8 + rows

    monkeypatch.setattr(step, "trunk", run_trunk)

    def plan_of(costs: dict[int, float]) -> DraftPlan:
        made.append(costs)
        return DraftPlan(BY_ROW)

    monkeypatch.setattr(model_runner, "DraftPlan", plan_of)
    runner = StepRunner(step, model.tokenizer.end_ids, prefix_cache=PrefixCache(0), clock=lambda: seconds[0])
    scheduler = Scheduler.of(runner, model.tokenizer)
    warm_up(scheduler)
    assert made == [{rows: 8 + rows for rows in TYPICAL_COSTS}]
    monkeypatch.setattr(LookupDrafts, "propose", None)  # by these costs nothing pays
    run(scheduler, asked(prompts(3), 10, depth="exact"))
