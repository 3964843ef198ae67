"""The parts that say what an answer is worth can be taken out one by one, and the answers stay the same."""

from __future__ import annotations

import pytest

from benchmarks.engine import request_cost
from benchmarks.engine.request_cost import BARE, PARTS, WHOLE, without
from tests.engine.reciting import recited, speechless
from tuili.engine import Proof, ProofVerdict

PROMPT = "Prove or refute: for all x: x^2 + 1 > 0"
RESPONSE = "<think>\nfor all x: x^2 + 1 >= 1 > 0\n9 + 8 = 17\n</think>proven"


def test_each_part_can_be_taken_out() -> None:
    loaded = speechless()
    with without("tracing"):
        receipt = recited(loaded, PROMPT, RESPONSE, attempts=1).receipt
        assert receipt.untraced == 0
        assert receipt.proof is not None
    with without("claims"):
        receipt = recited(loaded, PROMPT, RESPONSE, attempts=1).receipt
        assert receipt.untraced == 1
        assert receipt.proof in (None, Proof(None, ProofVerdict.UNREAD))
    assert recited(loaded, PROMPT, RESPONSE, attempts=1).receipt.untraced == 1


def test_the_record_has_a_figure_for_each_part() -> None:
    config, figures = request_cost.measure(rounds=1, per_cell=1)
    assert config["questions"] > 0
    assert figures.keys() == {f"{name}_ms" for name in (WHOLE, BARE, *PARTS)} | {"over"}
    assert figures["whole_ms"].median > 0


def test_other_answers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(([1.0, ["1"]], [1.0, ["2"]]))
    monkeypatch.setattr(request_cost, "answered", lambda *_: next(answers))
    with pytest.raises(AssertionError, match="other answers"):
        request_cost.measure(rounds=1, per_cell=1)
