"""Results of factorised models: what is left of them, and of the answers of their parent."""

from __future__ import annotations

from benchmarks.table.compressed_rows import columns, kept_rows, recovered_rows
from benchmarks.table.rows import bench

RECORD = "factorised"
WAYS = {
    "dynamic": "ranks by sensitivity, whitened factors, bases as they lose less",
    "uniform": "the same with uniform ranks",
    "plain": "ranks by sensitivity, plain factors",
    "uniform_plain": "uniform ranks, plain factors",
    "separate": "ranks by sensitivity, factors of each expert",
    "shared": "ranks by sensitivity, bases that all experts share",
}
COLUMNS = columns("how", ["parameters"], ["points, all levels", "points, as the factors came"])
PAIRS = (
    ("dynamic", "uniform", "ranks by sensitivity", "uniform ones", "above the seeds' spread"),
    ("dynamic", "plain", "whitened factors", "plain ones", "none"),
    ("uniform", "uniform_plain", "whitened factors", "plain ones, both with uniform ranks", "none"),
    ("shared", "separate", "bases that experts share", "factors of each", "none"),
)

FACTORISED = recovered_rows(RECORD, WAYS, "raw")

FACTORS = (
    *kept_rows(
        RECORD,
        "Factorised: {}, then recovered: share of the parent's right answers",
        WAYS,
        lambda way, level: "0.98" if way == "dynamic" else "none",
    ),
    *(
        bench(
            f"Factorised: points of right answers of {first} over {second}{when}",
            RECORD,
            f"{one}_over_{other}{behind}",
            "{:+.2f}",
            goal="none" if behind else goal,
        )
        for one, other, first, second, goal in PAIRS
        for behind, when in (("", ", recovered"), ("_raw", ", as the factors came"))
    ),
)
