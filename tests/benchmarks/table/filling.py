"""The cells of a table's rows, by what each row tells; rows that a record has no figures for are left out."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.table.rows import Record, Row


def filled(rows: Iterable[Row], record: Record) -> dict[str, list[str]]:
    """As a page would have them."""
    found = dict[str, list[str]]()
    for row in rows:
        try:
            found[row.what] = [cell(record) for cell in row.cells]
        except LookupError:
            continue
    return found
