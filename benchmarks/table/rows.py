"""A row of a table: what was measured, and how its value is read from a record.

Which rows a page has is left to `headlines` and `results`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.record import RESULTS
from tuili.eval import EVAL_FILE
from tuili.store import SHIPPED_MODELS

Record = dict[str, Any]
Value = Callable[[Record], str]
"""Reads the text of a cell from a record. Raises `LookupError` or `ValueError` where the record lacks it."""

NANO_REPORT = SHIPPED_MODELS / "nano" / EVAL_FILE
"""The evaluation of the shipped model, which stands beside its weights."""


@dataclass(frozen=True)
class Row:
    """One line of a table: what was measured, the record, and the cells that are read from it."""

    what: str
    record: Path
    cells: tuple[Value, ...]
    linked: bool = True
    """Whether the line ends with a link to the record."""

    def line(self, folder: Path) -> str | None:
        """The line in Markdown for a page in `folder`; None where the record is missing or has no such figure."""
        if not self.record.is_file():
            return None
        try:
            record = json.loads(self.record.read_bytes())
            cells = [cell(record) for cell in self.cells]
        except (LookupError, ValueError):  # a record of another size or an evaluation without this part
            return None
        if not self.linked:
            return f"| {' | '.join((self.what, *cells))} |"
        name = "eval" if self.record == NANO_REPORT else self.record.stem
        link = f"[`{name}`]({os.path.relpath(self.record, folder)})"
        return f"| {' | '.join((self.what, *cells, link))} |"


def results(name: str) -> Path:
    """The file of a benchmark's record."""
    return RESULTS / f"{name}.json"


def text(constant: str) -> Value:
    """A cell that says the same whatever was measured."""
    return lambda record: constant


def threads(record: Record) -> str:
    """The threads of the process that measured, which those that it started have as well."""
    return str(record["machine"]["threads"])


def joined(template: str, *values: Value) -> Value:
    """A cell of several values, put into a template in order."""
    return lambda record: template.format(*(value(record) for value in values))


def middle(key: str, form: str) -> Value:
    """The median of a figure alone."""
    return lambda record: form.format(record["figures"][key]["median"])


def figure(key: str, form: str) -> Value:
    """The median of a figure, then its range where it was measured more than once."""

    def value(record: Record) -> str:
        summary = record["figures"][key]
        return with_range(summary["median"], summary["min"], summary["max"], summary["n"], form)

    return value


def interval(key: str, form: str) -> Value:
    """A share with its 95% interval."""
    return joined("{} ({} to {})", *(middle(f"{key}{end}", form) for end in ("", "_low95", "_high95")))


def with_range(middle: float, low: float, high: float, runs: int, form: str) -> str:
    """A median and the range of its runs; the median alone where they do not differ."""
    shown, lowest, highest = (form.format(value) for value in (middle, low, high))
    return shown if lowest == highest else f"{shown} ({lowest} to {highest}, n = {runs})"


def difference(key: str, form: str) -> Value:
    """A figure of `budgets` with its 95% interval where it has one, and the number of problems."""

    def value(record: Record) -> str:
        figures, problems = record["figures"], record["config"]["problems"]["n"]
        ends = [f"{key}_{end}" for end in ("low95", "high95") if f"{key}_{end}" in figures]
        interval = " to ".join(form.format(figures[end]["median"]) for end in ends)
        return f"{form.format(figures[key]['median'])} ({interval}{', ' if interval else ''}n = {problems:,})"

    return value


def bench(what: str, name: str, key: str, form: str, goal: str = "none") -> Row:
    """A row for one figure of a benchmark."""
    return Row(what, results(name), (figure(key, form), text(goal)))


def before_and_after(what: str, problems: str, name: str, key: str) -> tuple[Row, Row]:
    """The shares of right answers before and after something was learnt, with their 95% intervals.

    what: has learnt. problems: that were asked. key: what the names of the record's figures begin with.
    """
    before, after = (
        Row(f"{what}: right {when}, {problems}", results(name), (interval(f"{key}_{when}", "{:.3f}"), text("none")))
        for when in ("before", "after")
    )
    return before, after


def mean_accuracy(level: str) -> Value:
    """The mean accuracy over the domains at a level, and over how many problems."""

    def value(report: Record) -> str:
        problems = sum(cell["n"] for cell in report["cells"] if str(cell["level"]) == level)
        return f"{report['mean'][level]:.3f} (n = {problems:,})"

    return value


def lowest_accuracy(report: Record) -> str:
    """The accuracy of the domain that has the lowest one at level 1."""
    cell = min((cell for cell in report["cells"] if cell["level"] == 1), key=lambda cell: cell["accuracy"])
    return f"{cell['accuracy']:.3f} ({cell['domain']}, n = {cell['n']})"


def at_depth(depth: str, key: str, form: str) -> Value:
    """A figure of the evaluation at one depth: `auto`, or a number of layers."""
    return lambda report: form.format(_point(report, depth)[key])


def points_below_full_depth(report: Record) -> str:
    """How many points of accuracy are lost where each token chooses its depth."""
    return f"{100 * (_point(report, '12')['accuracy'] - _point(report, 'auto')['accuracy']):.1f}"


def layers_over_full_depth(report: Record) -> str:
    """The mean layers of a token that chooses its depth, as a share of all layers."""
    return f"{_point(report, 'auto')['mean_depth'] / _point(report, '12')['mean_depth']:.2f}"


def _point(report: Record, depth: str) -> Record:
    (point,) = (point for point in report["depth"]["points"] if point["depth"] == depth)
    return dict(point)
