"""The benchmark of promises: what breaks is counted, and answers are given once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.engine import guarantee
from benchmarks.engine.guarantee import best_in_hindsight, error, means, measure, one_split
from tuili.eval import AttemptHistory, AttemptSnapshot, LabelledPrompt, LossTable


def losses(rates: list[float], problems: int = 4000) -> LossTable:
    """Settings that each answer more problems than the one before, of which these shares are wrong."""
    rng = np.random.default_rng(0)
    answered = [np.arange(problems) < problems * (place + 1) / len(rates) for place in range(len(rates))]
    wrong = [chosen & (rng.random(problems) < rate) for chosen, rate in zip(answered, rates, strict=True)]
    return LossTable(np.array(answered), np.array(wrong))


def test_a_promise_is_broken_where_the_pool_says_so() -> None:
    whole = losses([0.01, 0.02, 0.049, 0.2])
    splits = [one_split(whole, 0.05, 0.05, 0, 1000, number) for number in range(60)]
    figures = means(splits, best_in_hindsight(whole, 0.05))
    assert figures["oracle_coverage"] == [0.75]
    assert figures["broken"][0] <= 0.05
    assert figures["uncertified_broken"][0] <= 0.05, "the next setting is far beyond"
    assert 0.5 <= figures["coverage"][0] <= 0.75
    assert figures["infeasible"][0] <= 0.1
    assert figures["error"][0] < 0.05
    drawn = [one_split(whole, 0.05, 0.05, 0, 4000, number)["coverage"] for number in range(20)]
    assert len(set(drawn)) > 1, "a sample as large as the pool is not the pool"
    close = losses([0.01, 0.051, 0.0515, 0.052])
    figures = means([one_split(close, 0.05, 0.05, 0, 1000, number) for number in range(60)], 0.25)
    assert figures["broken"][0] < 0.1 < figures["uncertified_broken"][0]
    hopeless = means([one_split(losses([0.5]), 0.05, 0.05, 0, 1000, 1)], 0.0)
    assert hopeless["infeasible"] == [1.0]
    assert "coverage" not in hopeless
    assert error(losses([0.0, 0.5]), 0) == 0.0


def test_what_was_answered_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(
        loaded: object, cases: list[LabelledPrompt], steps: int, tokens: int, tell: object
    ) -> list[AttemptHistory]:
        asked.append(len(cases))
        rng = np.random.default_rng(len(asked))
        sure = rng.normal(2, 2, len(cases))
        right = rng.random(len(cases)) < 1 / (1 + np.exp(-sure))
        return [
            AttemptHistory(
                20, (AttemptSnapshot(9, (float(s), *[0.0] * 8), bool(r)), AttemptSnapshot(20, None, False)), None
            )
            for s, r in zip(sure, right, strict=True)
        ]

    monkeypatch.setattr(guarantee, "collect_histories", answer)
    monkeypatch.setattr(guarantee, "PICTURE", tmp_path / "picture.svg")
    settings = {
        "levels": (1,),
        "per_cell": 20,
        "fitted_per_cell": 10,
        "sample": 200,
        "splits": 5,
        "runs": str(tmp_path),
    }
    config, figures = measure(**settings)  # type: ignore[arg-type]
    assert asked == [160, 320]
    assert measure(**settings)[1] == figures  # type: ignore[arg-type]
    assert asked == [160, 320]
    assert config["problems"]["pool"] == 320
    assert "<svg" in (tmp_path / "picture.svg").read_text()
    assert figures["steps1_error0.1_broken"].unit == "share"
