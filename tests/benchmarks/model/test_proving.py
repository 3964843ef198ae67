"""Proofs and programs: what counts as proven, as refuted and as right, and how many of each are asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from benchmarks.model.proving import Settled, is_true, measure, of_false, of_group, outcome, settle
from tuili.engine import Answer, CheckedStep, Outcome, Receipt
from tuili.model import load_model
from tuili.steps import Status, Verdict
from tuili.tasks import Problem, unseen_problems

CLAIMS = unseen_problems(("proofs",), (1,), 12, 0, wording="seen", language="zh")


def answered(problem: Problem, said: str, how: Outcome = Outcome.ANSWERED) -> Answer:
    steps = tuple(CheckedStep(text, Verdict(Status.VALID, "proof"), 3.0, ((text, 0),)) for text in problem.steps)
    receipt = Receipt(1, {}, {}, 3.0, 9, "end", {}, how)
    return Answer(problem.prompt, said, steps, receipt)


def test_a_true_claim_is_proven_by_its_steps_alone() -> None:
    claim = next(filter(is_true, CLAIMS))
    assert outcome(claim, answered(claim, "得证")) == Settled(True, True, True, True)
    assert outcome(claim, answered(replace(claim, steps=("1 + 1 = 2",)), "得证")) == Settled(True, True, True, False)
    doubted = outcome(claim, answered(claim, "得证", Outcome.BEST_EFFORT))
    assert doubted == Settled(True, False, True, True)
    figures = of_group("proofs", "level1", [outcome(claim, answered(claim, "得证")), doubted])
    assert figures["true_level1_proven"].median == 0.5
    assert "false_level1_refuted" not in figures


def test_a_false_claim_is_refuted_and_counts_where_it_is_said_to_be_proven() -> None:
    claim = next(problem for problem in CLAIMS if not is_true(problem))
    refuted, believed = outcome(claim, answered(claim, claim.answer)), outcome(claim, answered(claim, "得证"))
    assert refuted == Settled(False, True, False, True)
    assert believed == Settled(False, True, True, False)
    doubted = outcome(claim, answered(claim, "得证", Outcome.BEST_EFFORT))
    figures = {name: figure.median for name, figure in of_false([refuted, believed, doubted]).items()}
    assert figures == {"false_claims": 3, "false_proven": 1, "false_written_proven": 2, "false_refuted": 1}


def test_as_many_claims_of_each_truth_are_asked_as_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.eval.parallel.usable_cores", lambda: 1)
    model = save_tiny(tmp_path / "model", max_position_embeddings=900)
    settled = settle("proofs", "en", 1, 2, 1, "seen", 0, load_model(model), lambda finished, total: None)
    assert [one.true for one in settled] == [True, True, False, False]
    config, figures = measure(str(model), claims=1, programs=1, attempts=2, levels=(1,))
    assert config["claims"]["max_tokens"] == 800
    assert (
        figures["true_level1_n"].median == figures["false_level1_n"].median == figures["programs_level1_n"].median == 2
    )
    assert figures["programs_en_level1_n"].median == figures["true_zh_level1_n"].median == 1
    assert figures["false_claims"].median == 2
