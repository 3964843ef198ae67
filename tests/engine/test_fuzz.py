"""Random requests of every kind: no budget is overrun, every request ends once, and nothing stays in memory."""

from __future__ import annotations

import os

import pytest

from benchmarks.engine.fuzz import fuzz
from tuili.engine.answer import Outcome
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import StopReason

REQUESTS = int(os.environ.get("TUILI_FUZZ", "2000"))


def test_no_budget_is_overrun_and_nothing_stays_in_memory() -> None:
    totals = fuzz(REQUESTS, seed=1)
    assert not totals.overruns
    assert totals.leaked == 0
    assert totals.offered == REQUESTS == totals.outcomes.total() + totals.refused.total()
    assert totals.outcomes.keys() == set(Outcome) - {Outcome.FAILED}
    assert totals.stops.keys() == set(StopReason) - {StopReason.READ, StopReason.GRAMMAR}, (
        "all ways to end have been tried"
    )
    assert totals.refused.keys() == {"InputError", "PromptError", "PromptTooLong", "Overloaded", "NotPromised"}
    assert totals.read > 0
    assert totals.promised > 0


def test_a_budget_that_is_not_kept_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.engine.scheduling.costs.MAX_JITTER", 0.0)
    for module in ("costs", "scheduler", "deadlines"):
        monkeypatch.setattr(f"tuili.engine.scheduling.{module}.DEADLINE_SAFETY_FACTOR", 1e-9)
    monkeypatch.setattr(Scheduler, "may_go_deeper", lambda self, _, exit_index, __: exit_index < 3)
    totals = fuzz(600, seed=1)
    assert totals.overruns.keys() >= {"deadline_ms", "max_layer_steps"}


def test_the_same_seed_draws_the_same_requests() -> None:
    assert fuzz(60, seed=3) == fuzz(60, seed=3) != fuzz(60, seed=4)
