"""Results of models that were made smaller in several ways, one upon the other, and of an imported one in one way."""

from __future__ import annotations

from benchmarks.table.compressed_rows import NONE, Parent, columns, interval, kept_rows, points, table_rows
from benchmarks.table.rows import Record, Row, Value, bench, figure, middle, results

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
SMOLLM2 = "SmolLM2-135M, taught"
_MADE = {"rounded": "8 bits as the engine rounds", **WAYS}
COLUMNS = columns(
    "what was stacked",
    ["MB", "active parameters"],
    ["CPU-ms a token", "answered at 5% error, 1 attempt", "4 attempts", "points, all levels"],
)
IMPORTED_COLUMNS = (
    "what is left", "MB of the folder", "MB in memory", "parameters", "MAWPS-dev", "CPU-ms a token", "points",
)  # fmt: skip


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
    behind=lambda stack: [*_served(stack), interval(f"{stack}_over_parent", "{:+.2f}")],
)
"""A row for the parent, and one for each stack."""


def _imported(what: str, name: str, parameters: Value, behind: Value) -> Row:
    sizes = [middle(f"{name}_{key}", "{:.1f}") for key in ("weights", "held")]
    measured = [figure(f"{name}_accuracy", "{:.3f}"), figure(f"{name}_token", "{:.2f}")]
    return Row(what, results(OF_IMPORTED), (*sizes, parameters, *measured, behind), linked=False)


def _all(record: Record) -> str:
    return f"{record['config']['parameters']['total']:,}"


IMPORTED = (
    _imported("all, in bf16", "parent", _all, NONE),
    _imported("all, rounded to 8 bits by the engine", "rounded", _all, interval("rounded_over_parent", "{:+.1f}")),
    *(
        _imported(what, way, middle(f"{way}_parameters", "{:,.0f}"), interval(f"{way}_over_parent", "{:+.1f}"))
        for way, what in WAYS.items()
    ),
)
"""Rows for the parent in two kinds of numbers, and one for each way. Points are over the parent in bf16."""

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
            ("share of the weights of matrices that have 4 bits", "four_bits", "{:.2f}", "none"),
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
        points(
            f"{SMOLLM2}, {what}: points of right answers to MAWPS-dev over the parent in bf16",
            OF_IMPORTED,
            f"{way}_over_parent",
        )
        for way, what in _MADE.items()
    ),
    points(
        f"{SMOLLM2}: points of right answers to MAWPS-dev of 8 bits that were learnt over 8 bits as the engine rounds",
        OF_IMPORTED,
        "int8_over_rounded",
    ),
    *(
        bench(f"{SMOLLM2}, {what}: {told}", OF_IMPORTED, f"{way}_{key}", form)
        for way, what in _MADE.items()
        for told, key, form in (
            ("MB of its folder's weights", "weights", "{:.1f}"),
            ("MB of its weights in memory", "held", "{:.1f}"),
            ("processor time of a token over the parent's in bf16", "token_over_parent", "{:.2f}"),
        )
    ),
)
