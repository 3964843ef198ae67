"""Promises are measured on every question, also where some of them get none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.adapt.conftest import Heard
from tuili.adapt import AdaptResult
from tuili.adapt.measuring import measure_promises, risk_over_coverage
from tuili.adapt.trust import promised
from tuili.data import read_records
from tuili.engine import CALIBRATION_FILE


def test_a_question_to_which_nothing_is_promised_is_not_answered(
    whole: tuple[AdaptResult, Heard], tmp_path: Path
) -> None:
    model = shutil.copytree(whole[0].model, tmp_path / "model")
    file = model / CALIBRATION_FILE
    document = json.loads(file.read_text())

    def promise(threshold: float) -> None:
        for entry in document["entries"]:  # so few problems promise nothing
            entry |= {"threshold": threshold, "n": 16, "coverage": 1.0, "bound": 0.05, "reason": ""}
        file.write_text(json.dumps(document))

    promise(0.0)
    records = list(read_records(whole[0].model.parent / "data" / "test.jsonl"))[:10]
    longer = records[0].model_copy(update={"input": records[0].input + " Tell the number." * 3})
    for one in measure_promises(model, [longer, *records], (0.1, 0.2), 2, lambda *_: None):
        refused = sum(one["refused"].values())
        assert one["questions"] == 11
        assert 1 <= refused < 6
        assert one["wrong"] <= one["answered"] <= 11 - refused
        assert one["answered"] > 0
    promise(1.0)
    (one,) = measure_promises(model, records, (0.1,), 2, lambda *_: None)
    assert (one["answered"], one["wrong"]) == (0, 0), "what is withheld is no answer"
    assert sum(one["refused"].values()) < 6


def test_the_tolerances_that_are_promised_for_so_many_attempts() -> None:
    classes = [
        {"tolerance": tolerance, "attempts": attempts, "promised": tolerance * attempts >= 0.2}
        for tolerance in (0.05, 0.1, 0.2)
        for attempts in (1, 2)
    ]
    assert promised({"classes": classes}, 2) == [0.1, 0.2]
    assert promised({"why": "too few"}, 2) == []


def test_risk_is_told_at_every_confidence() -> None:
    rows = [
        {"confidence": sure, "right": right} for sure, right in ((0.9, True), (0.5, True), (0.5, False), (0.2, True))
    ]
    assert risk_over_coverage(rows) == [(0.25, 0.0), (0.75, 1 / 3), (1.0, 0.25)]
    assert risk_over_coverage([{"confidence": None, "right": True}]) == []
