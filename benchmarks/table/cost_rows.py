"""What the stages from an imported base to a served model took, from the records of the benchmarks that ran them."""

from __future__ import annotations

from benchmarks.imported.source import REAL
from benchmarks.table.rows import Row, Value, middle, results, text, threads

_BOTH = text("2")
COLUMNS = ("stage", "command", "hours", "cores")


def _row(stage: str, command: str, record: str, hours: Value, cores: Value = _BOTH) -> Row:
    return Row(stage, results(record), (text(f"`{command}`"), hours, cores), linked=False)


def _hours_of(minutes: str) -> Value:
    """Hours of a figure in minutes."""
    return lambda record: f"{record['figures'][minutes]['median'] / 60:.2f}"


def _adapting(stage: str, what: str) -> Row:
    return _row(what, "tuili adapt", "adapted", _hours_of(f"{REAL}_{stage}_minutes"), threads)


COSTS = (
    _row(
        "teach equations, the first hour",
        "tuili train smollm2-math teach.steps=1000",
        "imported_taught",
        middle("hour_hours", "{:.2f}"),
    ),
    _row("teach equations, as it ships", "tuili train smollm2-math", "imported_taught", middle("long_hours", "{:.2f}")),
    _row("exits beside the layers", "tuili exits", "imported_depth", middle("frozen_hours", "{:.2f}")),
    _row("exits with the layers", "tuili exits --way joint", "imported_depth", middle("joint_hours", "{:.2f}")),
    _adapting("teach", "300 problems of one's own: teach them"),
    _adapting("verifier", "train a verifier on answers that it writes"),
    _adapting("calibrate", "calibrate promises"),
    _adapting("after", "measure what came of it"),
    _row("all of one's own problems together", "tuili adapt", "adapted", _hours_of(f"{REAL}_minutes"), threads),
)
"""A row for each stage, in their order."""
