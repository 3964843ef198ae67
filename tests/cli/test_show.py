"""The table of accuracies: with intervals where they fit, and always one line a domain."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from tuili.cli.show import show_cells
from tuili.tasks import domain_names


def shown(levels: int, width: int) -> list[str]:
    cells = [
        {"domain": domain, "level": level, "accuracy": 0.5, "ci95": (0.404, 0.596), "mean_depth": 4.25}
        for level in range(1, levels + 1)
        for domain in domain_names()
    ]
    mean = {str(level): 0.5 for level in range(1, levels + 1)}
    console = Console(file=StringIO(), width=width)
    show_cells(console, {"cells": cells, "mean": mean, "mean_depth": 4.25})
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("levels", "width", "intervals"), [(2, 80, True), (3, 80, False), (3, 120, True), (5, 80, False)]
)
def test_a_domain_takes_one_line_and_its_intervals_where_there_is_room(
    levels: int, width: int, intervals: bool
) -> None:
    _, *rows, mean = lines = shown(levels, width)
    assert [row.split()[0] for row in rows] == list(domain_names())
    assert all(row.count("0.500") == levels for row in (*rows, mean))
    assert all(row.count("(0.40 – 0.60)") == (levels if intervals else 0) for row in rows)
    assert all(len(line) <= width and "…" not in line for line in lines)
