"""What the tables of smaller models have in common: a row for the parent and one for each way, and the shares that are
kept of its right answers.

Which ways there are is left to `pruned_rows`, `factorised_rows`, `distilled_rows` and `quantised_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from benchmarks.table.rows import Record, Row, Value, figure, joined, middle, results, text

LEVELS = (1, 2, 3)
DASH = "–"
NONE = text(DASH)
SMALL = "quickstart"
"""The parent whose figures have its name in front."""


class Parent(NamedTuple):
    """What is told of a parent. what: the first column. before, behind: its cells in front of its right answers, and
    behind its layers a token; no cells stand for dashes. depth: the figure of these layers."""

    what: str
    before: Sequence[Value]
    depth: str
    behind: Sequence[Value] = ()


def columns(what: str, before: Sequence[str], behind: Sequence[str]) -> tuple[str, ...]:
    """Those of such a table."""
    return (what, *before, *(f"level {level}" for level in LEVELS), "layers a token", *behind)


def table_rows(
    record: str,
    parent: Parent,
    ways: Mapping[str, str],
    before: Callable[[str], Sequence[Value]],
    behind: Callable[[str], Sequence[Value]],
    right: str = "",
) -> tuple[Row, ...]:
    """A row for the parent, and one for each way.

    ways: what the first column calls each. before, behind: the cells of a way in the same places as the parent's.
    right: what stands behind the way in the names of its right answers.
    """

    def row(what: str, name: str, first: Sequence[Value], depth: str, last: Sequence[Value]) -> Row:
        cell = middle if name == "parent" else figure
        levels = (_where_measured(cell(f"{name}_level_{level}", "{:.3f}"), f"{name}_level_") for level in LEVELS)
        return Row(what, results(record), (*first, *levels, middle(depth, "{:.2f}"), *last), linked=False)

    last = parent.behind or [NONE] * len(behind(""))
    return (
        row(parent.what, "parent", parent.before, parent.depth, last),
        *(row(what, f"{way}{right}", before(way), f"{way}_depth", behind(way)) for way, what in ways.items()),
    )


def recovered_rows(
    record: str, ways: Mapping[str, str], raw: str, more: Callable[[str], Sequence[Value]] = lambda way: ()
) -> tuple[Row, ...]:
    """Such rows with parameters in front, and behind the points beside the parent, recovered and as the models came.

    raw: what stands behind the way in the names of the latter. The first way tells the parent's layers a token. more:
    cells behind all.
    """

    def all_parameters(of: Record) -> str:
        return f"{of['config']['parameters']['total']:,}"

    return table_rows(
        record,
        Parent("nothing", [all_parameters], f"{next(iter(ways))}_depth_before"),
        ways,
        before=lambda way: [middle(f"{way}_parameters", "{:,.0f}")],
        behind=lambda way: [
            interval(f"{way}_over_parent", "{:+.2f}"),
            _where_measured(interval(f"{way}_{raw}_over_parent", "{:+.1f}"), f"{way}_"),
            *more(way),
        ],
    )


def interval(key: str, form: str) -> Value:
    """A figure with its 95% interval; of several runs the medians of both ends."""
    return joined(
        "{}; 95%: {} to {}", figure(key, form), *(middle(f"{key}_{end}", form) for end in ("low95", "high95"))
    )


def points(what: str, record: str, key: str, goal: str = "none") -> Row:
    """A row for a difference in points."""
    return Row(what, results(record), (interval(key, "{:+.2f}"), text(goal)))


def with_small(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of the first parent, and behind them those of the quickstart's size, as far as it was measured."""
    return (
        *rows,
        *(replace(row, what=f"{row.what} (quickstart's size)", cells=tuple(map(_small, row.cells))) for row in rows),
    )


def _small(value: Value) -> Value:
    return lambda record: value(small_part(record))


def small_part(record: Record) -> Record:
    """What a record says of the quickstart's size, as if it said that of the first parent.

    Raises `LookupError` where it says nothing.
    """
    start = f"{SMALL}_"
    figures = {key.removeprefix(start): value for key, value in record["figures"].items() if key.startswith(start)}
    return {"config": record["config"][SMALL], "figures": figures}


def _where_measured(value: Value, start: str) -> Value:
    """A dash where this was not measured, though others were."""

    def found(record: Record) -> str:
        try:
            return value(record)
        except LookupError:
            if any(key.startswith(start) for key in record["figures"]):
                return DASH
            raise

    return found


def kept_rows(record: str, told: str, ways: Mapping[str, str], goal: Callable[[str, int], str]) -> tuple[Row, ...]:
    """For each way and level, the share that is kept. told: with a place for the way; goal: of a way at a level."""
    return tuple(
        Row(
            f"{told.format(what)} at level {level}",
            results(record),
            (interval(f"{way}_level_{level}_kept", "{:.3f}"), text(goal(way, level))),
        )
        for way, what in ways.items()
        for level in LEVELS
    )


def recoveries(record: Record, ways: Mapping[str, str]) -> dict[str, list[list[tuple[float, float]]]]:
    """How the divergence from the parent fell in all runs of each way that was measured, by what it is called."""
    curves, seeds = record["config"]["curves"], record["config"]["seeds"]
    return {
        what: [[(tokens, loss) for tokens, loss in curves[f"{way}_{seed}"]] for seed in seeds]
        for way, what in ways.items()
        if f"{way}_{seeds[0]}" in curves
    }
