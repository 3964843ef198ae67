"""Promises are measured on every question, also where some of them get none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapt.conftest import Heard
from tuili.adapt import AdaptResult
from tuili.adapt.measuring import measure, measure_promises, risk_over_coverage
from tuili.adapt.trust import promised
from tuili.data import Record, read_records
from tuili.engine import CALIBRATION_FILE

Promise = Callable[[float], None]


@pytest.fixture
def promising(whole: tuple[AdaptResult, Heard], tmp_path: Path) -> tuple[Path, Promise]:
    """A model, and what lets it promise whatever is answered with some confidence. So few problems promise nothing."""
    model = shutil.copytree(whole[0].model, tmp_path / "model")
    file = model / CALIBRATION_FILE
    document = json.loads(file.read_text())

    def promise(threshold: float) -> None:
        for entry in document["entries"]:
            entry |= {"threshold": threshold, "n": 16, "coverage": 1.0, "bound": 0.05, "reason": ""}
        file.write_text(json.dumps(document))

    return model, promise


@pytest.fixture
def records(whole: tuple[AdaptResult, Heard]) -> list[Record]:
    return list(read_records(whole[0].model.parent / "data" / "test.jsonl"))[:10]


def quiet(done: int, count: int) -> None:
    pass


def test_a_question_to_which_nothing_is_promised_is_not_answered(
    promising: tuple[Path, Promise], records: list[Record]
) -> None:
    model, promise = promising
    longer = records[0].model_copy(update={"input": records[0].input + " Tell the number." * 3})
    promise(0.0)
    for one in measure_promises(model, [longer, *records], (0.1, 0.2), 2, quiet):
        (refusals,) = [count for why, count in one["refused"].items() if "tokens" in why]
        assert (one["questions"], refusals) == (11, 1)
        assert one["answered"] == 11 - sum(one["refused"].values()) > 0
    promise(1.0)
    (one,) = measure_promises(model, records, (0.1,), 2, quiet)
    assert (one["answered"], one["wrong"]) == (0, 0), "what is withheld is no answer"


def test_answers_are_told_to_be_right_by_what_is_expected(
    promising: tuple[Path, Promise], records: list[Record]
) -> None:
    model, promise = promising
    promise(0.0)
    rows = measure(model, records, [], quiet)["rows"]
    given = [(record, row["answer"]) for record, row in zip(records, rows, strict=True)]

    def expecting(form: str) -> list[Record]:
        return [record.model_copy(update={"output": form.format(answer)}) for record, answer in given if answer]

    (right,), (wrong,) = (measure_promises(model, expecting(form), (0.2,), 1, quiet) for form in ("{}", "99"))
    assert right["answered"] == wrong["answered"] > 0
    assert (right["wrong"], wrong["wrong"]) == (0, wrong["answered"])
    for form, strict, lenient in (("${}", 1, 1), ("{} pens", 1, 1), ("that is {}", 0, 1), ("99", 0, 0)):
        measured = measure(model, expecting(form), [], quiet)
        assert (measured["accuracy"], measured["lenient"]["accuracy"]) == (strict, lenient), form


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
