"""Random requests of every kind: no budget is overrun, every request ends once, and nothing stays in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.engine.fuzz import fuzz
from benchmarks.harness.computing import computing
from tests.engine.runtime.dense import dense_folder, opened
from tuili.engine.answer import Outcome
from tuili.engine.scheduling.scheduler import Scheduler
from tuili.engine.sequence import StopReason

REQUESTS = int(os.environ.get("TUILI_FUZZ", "1000"))


def test_no_budget_is_overrun_and_nothing_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.engine.fuzz.REQUESTS_PER_ENGINE", min(1000, REQUESTS // 2))  # so that two are asked
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
    assert totals.calculated > 0


def test_a_budget_that_is_not_kept_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.engine.scheduling.costs.MAX_JITTER", 0.0)
    for module in ("costs", "scheduler", "pacing", "deadlines"):
        monkeypatch.setattr(f"tuili.engine.scheduling.{module}.DEADLINE_SAFETY_FACTOR", 1e-9)
    monkeypatch.setattr(Scheduler, "may_go_deeper", lambda self, _, exit_index, __: exit_index < 3)
    totals = fuzz(300, seed=1)
    assert totals.overruns.keys() >= {"deadline_ms", "max_layer_steps"}


@pytest.mark.parametrize(("runner", "share", "seed"), [("native", 3, 6), ("torch", 14, 7)])
def test_an_imported_model_overruns_no_budget(runner: str, share: int, seed: int, tmp_path: Path) -> None:
    """Its tokens leave early by their confidence, or because a limit is near; groups have sizes of their own."""
    model = opened(dense_folder(tmp_path, "llama, tied", (1, 2, 4), num_hidden_layers=4))
    totals = fuzz(REQUESTS // share, seed, computing(runner, "fp32"), model)
    assert not totals.overruns
    assert totals.leaked == 0
    assert totals.offered == totals.outcomes.total() + totals.refused.total()
    assert totals.outcomes.keys() >= {Outcome.ABSTAINED, Outcome.BEST_EFFORT, Outcome.CANCELLED}
    assert totals.stops.keys() >= {StopReason.LENGTH, StopReason.LAYERS, StopReason.DEADLINE, StopReason.STOP}
    assert totals.calculated > 0


def test_the_same_seed_draws_the_same_requests() -> None:
    assert fuzz(30, seed=3) == fuzz(30, seed=3) != fuzz(30, seed=4)
