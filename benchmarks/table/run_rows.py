"""All runs that made the models of the benchmarks of smaller models, with their hours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.table.rows import Record, Row, results

COLUMNS = ("benchmark", "runs and their hours", "together")
NAMES = ("pruned", "distilled", "factorised", "quantised", "stacked", "imported_smaller")
_MARKS = {"of_steps_alone": "\\*", "other_code": "†"}
"""What stands behind a run of which the hours of steps alone are known, and behind one that other code has made."""


def _parts(record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """The runs of each parent, by its name."""
    config = record["config"]
    for part in (config, *(value for value in config.values() if isinstance(value, dict) and "runs" in value)):
        yield str(part.get("model", "")), part["runs"]


def _told(record: Record) -> str:
    return "; ".join(
        " ".join((parent, ", ".join(f"`{name}` {_hours(run)}" for name, run in runs.items()))).strip()
        for parent, runs in _parts(record)
    )


def _hours(run: dict[str, Any]) -> str:
    return f"{run['hours']:.2f}" + "".join(mark for key, mark in _MARKS.items() if key in run)


def _together(record: Record) -> str:
    return f"{sum(run['hours'] for _, runs in _parts(record) for run in runs.values()):.1f}"


RUNS = tuple(Row(f"`{name}`", results(name), (_told, _together), linked=False) for name in NAMES)
