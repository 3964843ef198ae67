"""Results of factorised models: what is left of them, and of the answers of their parent."""

from __future__ import annotations

from benchmarks.table.rows import Row, bench, figure, middle, results, text

RECORD = "factorised"
WAYS = {
    "dynamic": "ranks by sensitivity, whitened factors, bases as they lose less",
    "uniform": "the same with uniform ranks",
    "plain": "ranks by sensitivity, plain factors",
    "uniform_plain": "uniform ranks, plain factors",
    "separate": "ranks by sensitivity, factors of each expert",
    "shared": "ranks by sensitivity, bases that all experts share",
}
LEVELS = (1, 2, 3)
COLUMNS = (
    "how",
    "parameters",
    *(f"level {level}" for level in LEVELS),
    "layers a token",
    "points, all levels",
    "points, as the factors came",
)
PAIRS = (
    ("dynamic", "uniform", "ranks by sensitivity", "uniform ones", "above the seeds' spread"),
    ("dynamic", "plain", "whitened factors", "plain ones", "none"),
    ("uniform", "uniform_plain", "whitened factors", "plain ones, both with uniform ranks", "none"),
    ("shared", "separate", "bases that experts share", "factors of each", "none"),
)

FACTORISED = (
    Row(
        "nothing",
        results(RECORD),
        (
            lambda record: f"{record['config']['parameters']['total']:,}",
            *(middle(f"parent_level_{level}", "{:.3f}") for level in LEVELS),
            middle("dynamic_depth_before", "{:.2f}"),
            text("–"),
            text("–"),
        ),
        linked=False,
    ),
    *(
        Row(
            what,
            results(RECORD),
            (
                middle(f"{way}_parameters", "{:,.0f}"),
                *(figure(f"{way}_level_{level}", "{:.3f}") for level in LEVELS),
                middle(f"{way}_depth", "{:.2f}"),
                figure(f"{way}_over_parent", "{:+.2f}"),
                figure(f"{way}_raw_over_parent", "{:+.1f}"),
            ),
            linked=False,
        )
        for way, what in WAYS.items()
    ),
)
"""A row for the parent, and one for each way of factorising it."""

FACTORS = (
    *(
        bench(
            f"Factorised: {what}, then recovered: share of the parent's right answers at level {level}",
            RECORD,
            f"{way}_level_{level}_kept",
            "{:.3f}",
            goal="0.98" if way == "dynamic" else "none",
        )
        for way, what in WAYS.items()
        for level in LEVELS
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
