"""Results of factorised models: what is left of them, and of the answers of their parent."""

from __future__ import annotations

from benchmarks.table.compressed_rows import columns, interval, kept_rows, points, recovered_rows, with_small
from benchmarks.table.rows import bench, middle

RECORD = "factorised"
WAYS = {
    "dynamic": "ranks by sensitivity, whitened factors, bases as they lose less",
    "dynamic_longer": "ranks by sensitivity, whitened factors, bases as they lose less, with four times the recovery",
    "uniform": "uniform ranks, whitened factors, bases as they lose less",
    "uniform_fast": "uniform ranks, whitened factors, bases as they lose less, at a faster rate",
    "plain": "ranks by sensitivity, plain factors",
    "uniform_plain": "uniform ranks, plain factors",
    "separate": "ranks by sensitivity, factors of each expert",
    "shared": "ranks by sensitivity, bases that all experts share",
}
COLUMNS = columns(
    "how",
    ["parameters"],
    ["points, all levels", "points, as the factors came", "points, several steps of arithmetic", "tokens of recovery"],
)
PAIRS = (
    ("dynamic", "uniform", "ranks by sensitivity", "uniform ones", "above the seeds' spread"),
    ("dynamic", "uniform_fast", "ranks by sensitivity", "uniform ones that recover faster", "above the seeds' spread"),
    ("dynamic", "plain", "whitened factors", "plain ones", "none"),
    ("uniform", "uniform_plain", "whitened factors", "plain ones, both with uniform ranks", "none"),
    ("shared", "separate", "bases that experts share", "factors of each", "none"),
)

FACTORISED = with_small(
    recovered_rows(
        RECORD,
        WAYS,
        "raw",
        lambda way: [interval(f"{way}_several_steps_over_parent", "{:+.2f}"), middle(f"{way}_tokens", "{:,.0f}")],
    )
)

_FACTORS = (
    *kept_rows(
        RECORD,
        "Factorised: {}, then recovered: share of the parent's right answers",
        WAYS,
        lambda way, level: "0.98" if way in ("dynamic", "dynamic_longer") else "none",
    ),
    *(
        points(
            f"Factorised: points of right answers of {first} over {second}{when}",
            RECORD,
            f"{one}_over_{other}{behind}",
            "none" if behind else goal,
        )
        for one, other, first, second, goal in PAIRS
        for behind, when in (("", ", recovered"), ("_raw", ", as the factors came"))
    ),
    *(
        points(
            f"Factorised: {what}, then recovered: points over the parent in several steps of arithmetic",
            RECORD,
            f"{way}_several_steps_over_parent",
        )
        for way, what in WAYS.items()
    ),
    bench(
        "Factorised: error of bases that experts share, over that of separate factors of as many parameters",
        RECORD,
        "dynamic_shared_over_separate",
        "{:.2f}",
    ),
    *(
        bench(f"Factorised: {what}: tokens of recovery", RECORD, f"{way}_tokens", "{:,.0f}")
        for way, what in WAYS.items()
    ),
)
FACTORS = with_small(_FACTORS)
