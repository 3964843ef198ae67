"""Rows of the verifier: a figure of each way to train it, in the order of the columns."""

from __future__ import annotations

from benchmarks.table.verifier_rows import COLUMNS, VERIFIER, WAYS


def test_a_row_has_a_cell_for_each_way() -> None:
    record = {"figures": {f"{way}_f1_held_out": {"median": number / 10} for number, way in enumerate(WAYS, 1)}}
    assert [cell(record) for cell in VERIFIER[0].cells] == ["0.100", "0.200", "0.300", "0.400"]
    assert {1 + len(row.cells) for row in VERIFIER} == {len(COLUMNS)}
