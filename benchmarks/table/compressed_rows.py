"""What the tables of smaller models have in common: a row for the parent and one for each way, and the shares that are
kept of its right answers.

Which ways there are is left to `pruned_rows`, `factorised_rows`, `distilled_rows` and `quantised_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.table.rows import Row, Value, bench, figure, middle, results, text

LEVELS = (1, 2, 3)
NONE = text("–")


def columns(what: str, before: Sequence[str], behind: Sequence[str]) -> tuple[str, ...]:
    """Those of such a table."""
    return (what, *before, *(f"level {level}" for level in LEVELS), "layers a token", *behind)


def table_rows(
    record: str,
    parent: tuple[str, Sequence[Value], str],
    ways: Mapping[str, str],
    before: Callable[[str], Sequence[Value]],
    behind: Callable[[str], Sequence[Value]],
    right: str = "",
) -> tuple[Row, ...]:
    """A row for the parent, and one for each way.

    parent: what the first column calls it, its cells in front of its right answers, and the figure of its layers a
    token; behind these it has none. ways: what the first column calls each. before, behind: the cells of a way in the
    same places. right: what stands behind the way in the names of its right answers.
    """

    def row(what: str, name: str, first: Sequence[Value], depth: str, last: Sequence[Value]) -> Row:
        cell = middle if name == "parent" else figure
        levels = (cell(f"{name}_level_{level}", "{:.3f}") for level in LEVELS)
        return Row(what, results(record), (*first, *levels, middle(depth, "{:.2f}"), *last), linked=False)

    called, cells, depth = parent
    return (
        row(called, "parent", cells, depth, [NONE] * len(behind(""))),
        *(row(what, f"{way}{right}", before(way), f"{way}_depth", behind(way)) for way, what in ways.items()),
    )


def kept_rows(record: str, told: str, ways: Mapping[str, str], goal: Callable[[str, int], str]) -> tuple[Row, ...]:
    """For each way and level, the share that is kept. told: with a place for the way; goal: of a way at a level."""
    return tuple(
        bench(
            f"{told.format(what)} at level {level}", record, f"{way}_level_{level}_kept", "{:.3f}", goal(way, level)
        )
        for way, what in ways.items()
        for level in LEVELS
    )  # fmt: skip
