"""Rows of the model's answers: intervals, counts, the worst domain, and what came of each question."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.table.answer_rows import ANSWERS, ASKED, count, lowest, points, shown_question, with_interval
from benchmarks.table.pages import ASKING, NOT_MEASURED, table


def record(**medians: float) -> dict[str, object]:
    return {"figures": {name: {"median": value} for name, value in medians.items()}}


def test_a_share_stands_with_its_interval() -> None:
    kept = record(a_proven=0.9, a_low95=0.85, a_high95=0.94, a_n=1200)
    assert with_interval("a", what="proven")(kept) == "0.900 (0.850 to 0.940, n = 1,200)"
    assert points("d")(record(d=-1.0, d_low95=-2.0, d_high95=0.04)) == "-1.0 (-2.0 to +0.0)"
    assert count("few", "many")(record(few=3, many=1600)) == "3 of 1,600"
    with pytest.raises(LookupError):
        with_interval("b")(kept)


def test_the_worst_domain_is_one_of_level_1() -> None:
    cells = [("knights", 1, 0.8), ("calendar", 1, 0.7), ("knights", 2, 0.1)]
    kept = [{"domain": domain, "level": level, "accuracy": share, "n": 200} for domain, level, share in cells]
    assert lowest("seen_en")({"config": {"cells": {"seen_en": kept}}}) == "0.700 (calendar, n = 200)"


def test_a_question_stands_as_it_was_typed() -> None:
    assert shown_question("a|b\n2*x") == r"`a\|b`<br>`2*x`"


def test_every_question_has_a_row_that_says_what_came_out(tmp_path: Path) -> None:
    assert len(ASKED) == 37
    file = tmp_path / "everyday.json"
    answers = [
        ("whats 15% of 80", "12", "12", True, "answered", 0.876),
        ("add 1/2 and 1/3", "5/6", "2/5", False, "best_effort", None),
        ("is 91 a prime number?", "no", "", False, "abstained", None),
    ]
    keys = ("question", "expected", "answer", "right", "outcome", "confidence")
    file.write_text(json.dumps({"config": {"answers": [dict(zip(keys, one, strict=True)) for one in answers]}}))
    lines = table(("question",), [replace(row, record=file) for row in ASKED], tmp_path).splitlines()[2:]
    assert lines == [
        "| `whats 15% of 80` | 12 | `12` | right | 0.88 |",
        "| `add 1/2 and 1/3` | 5/6 | `2/5` | wrong (best effort) | – |",
        "| `is 91 a prime number?` | no | – | no answer | – |",
    ]


def test_a_table_without_a_record_says_so(tmp_path: Path) -> None:
    rows = [replace(row, record=tmp_path / "absent.json") for row in (*ASKED, *ANSWERS)]
    assert table(("question",), rows, ASKING.parent) == NOT_MEASURED
