"""Rows of imported models: overruns of any budget count, and speeds that were not measured are left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.table.imported_rows import SPEED, overran


def test_overruns_of_any_budget_count():
    counts = {"offered": 10_000, "admitted": 3_000, "overran_max_tokens": 1, "overran_deadline_ms": 2}
    record = {"figures": {f"budgets_{key}": {"median": count} for key, count in counts.items()}}
    assert overran(record) == "3 of 10,000 (3,000 were let in)"
    with pytest.raises(LookupError):
        overran({"figures": {}})


def test_a_model_without_exits_has_no_rows_about_them(tmp_path: Path):
    figure = {"median": 1.5, "min": 1.5, "max": 1.5, "n": 1}
    key = "1_ours_int8_full_writing_1x96_tokens_per_cpu_second_over_llama_cpp_q8_0"
    file = tmp_path / "imported_speed.json"
    file.write_text(json.dumps({"figures": {key: figure}}))
    lines = [replace(row, record=file).line(tmp_path) for row in SPEED]
    (line,) = (line for line in lines if line)
    assert "| 1.50 | 1.4 |" in line
