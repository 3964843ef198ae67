"""Results of models that were made smaller in several ways, one upon the other, and of an imported one in one way."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.table.compressed_rows import NONE, Parent, columns, kept_rows, table_rows
from benchmarks.table.rows import Row, Value, bench, figure, joined, middle, results

RECORD, OF_IMPORTED = "stacked", "imported_smaller"
STACKS = {
    "factors_int8": "30% of the neurons less, half of what is left in factors, `int8`",
    "student_int8": "30% of the neurons less, a student with two groups, `int8`",
    "student_w4a8": "30% of the neurons less, a student with two groups, `w4a8`",
    "pico": "`pico`: a student of a fifth, `w4a8`",
}
WAYS = {
    "int8": "8 bits that were learnt",
    "pruned": "30% of the neurons less",
    "factorised": "60% of the parameters, in factors",
}
COLUMNS = columns(
    "what was stacked",
    ["MB", "active parameters"],
    ["CPU-ms a token", "answered at 5% error, 1 attempt", "4 attempts", "points, all levels"],
)
IMPORTED_COLUMNS = ("what is left", "MB", "parameters", "MAWPS-dev", "CPU-ms a token", "points")


def _sizes(name: str) -> list[Value]:
    return [middle(f"{name}_weights", "{:.2f}"), middle(f"{name}_active", "{:,.0f}")]


def _served(name: str) -> list[Value]:
    covered = [figure(f"{name}_coverage_{attempts}", "{:.3f}") for attempts in (1, 4)]
    return [figure(f"{name}_token", "{:.3f}"), *covered]


STACKED = table_rows(
    RECORD,
    Parent("nothing", _sizes("parent"), "parent_depth", [*_served("parent"), NONE]),
    STACKS,
    before=_sizes,
    behind=lambda stack: [*_served(stack), figure(f"{stack}_over_parent", "{:+.2f}")],
)
"""A row for the parent, and one for each stack."""


def _imported(what: str, name: str, sizes: Sequence[Value], behind: Sequence[Value]) -> Row:
    return Row(what, results(OF_IMPORTED), (*sizes, figure(f"{name}_accuracy", "{:.3f}"), *behind), linked=False)


def _size(way: str) -> list[Value]:
    return [middle(f"{way}_weights", "{:.1f}"), middle(f"{way}_parameters", "{:,.0f}")]


_PARENT: list[Value] = [
    middle("parent_weights", "{:.1f}"),
    lambda record: f"{record['config']['parameters']['total']:,}",
]
_TIME = middle("parent_token", "{:.2f}")
IMPORTED = (
    _imported("all, as the engine takes it", "parent", _PARENT, [_TIME, NONE]),
    _imported("all, in bf16", "parent_bf16", _PARENT, [NONE, NONE]),
    _imported("all, rounded to 8 bits", "parent_int8", _PARENT, [NONE, NONE]),
    *(
        _imported(
            what,
            way,
            _size(way),
            [
                figure(f"{way}_token", "{:.2f}"),
                joined(
                    "{} (95%: {} to {})",
                    *(middle(f"{way}_over_parent{end}", "{:+.1f}") for end in ("", "_low95", "_high95")),
                ),
            ],
        )
        for way, what in WAYS.items()
    ),
)
"""Rows for the parent in three kinds of numbers, and one for each way."""

STACKS_KEPT = (
    *kept_rows(
        RECORD,
        "Stacked: {}: share of the parent's right answers",
        STACKS,
        lambda stack, level: "0.9" if (stack, level) == ("pico", 1) else "none",
    ),
    *(
        bench(f"Stacked: {what}: {told}", RECORD, f"{stack}_{key}", form, goal)
        for stack, what in STACKS.items()
        for told, key, form, goal in (
            ("MB of its folder's weights", "weights", "{:.2f}", "at most 1.5" if stack == "pico" else "none"),
            ("processor time of a token over the parent's", "token_over_parent", "{:.2f}", "none"),
            ("share of problems answered at 5% error, 1 attempt, without a verifier", "coverage_1", "{:.3f}", "none"),
        )
    ),
    bench(
        "Stacked: the parent: share of problems answered at 5% error, 1 attempt, without a verifier",
        RECORD,
        "parent_coverage_1",
        "{:.3f}",
    ),
    *(
        bench(f"SmolLM2-135M, taught, with {what}: {told}", OF_IMPORTED, f"{way}_{key}", form)
        for way, what in WAYS.items()
        for told, key, form in (
            ("points of right answers to MAWPS-dev over the parent", "over_parent", "{:+.2f}"),
            ("MB of its folder's weights", "weights", "{:.1f}"),
            ("processor time of a token over the parent's", "token_over_parent", "{:.2f}"),
        )
    ),
)
