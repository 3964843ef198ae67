"""Results of pruned models: what is left of them, and of the answers of their parent."""

from __future__ import annotations

from benchmarks.table.rows import Record, Row, Value, bench, figure, middle, results, text

RECORD = "pruned"
WAYS = {
    "activation": "30% of the neurons, by activation",
    "magnitude": "30% of the neurons, by magnitude",
    "activation_8": "30% of the neurons, by activation, in multiples of 8",
    "reap": "8 of 16 experts, by REAP",
    "frequency": "8 of 16 experts, by frequency",
}
LEVELS = (1, 2, 3)
COLUMNS = (
    "what was pruned",
    "parameters",
    *(f"level {level}" for level in LEVELS),
    "layers a token",
    "points, all levels",
    "points, as cut",
)


def _parent(what: str) -> Value:
    """A number of the model that was pruned."""
    return lambda record: f"{record['config']['parameters'][what]:,}"


PRUNED = (
    Row(
        "nothing",
        results(RECORD),
        (
            _parent("total"),
            *(middle(f"parent_level_{level}", "{:.3f}") for level in LEVELS),
            middle("activation_depth_before", "{:.2f}"),
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
                figure(f"{way}_cut_over_parent", "{:+.1f}"),
            ),
            linked=False,
        )
        for way, what in WAYS.items()
    ),
)
"""A row for the parent, and one for each way of pruning it."""

KEPT = (
    *(
        bench(
            f"Pruned: {what}, then recovered: share of the parent's right answers at level {level}",
            RECORD,
            f"{way}_level_{level}_kept",
            "{:.3f}",
            goal="0.985" if way in ("activation", "magnitude") else "none",
        )
        for way, what in WAYS.items()
        for level in LEVELS
    ),
    *(
        bench(f"Pruned: points of right answers of {one} over {other}", RECORD, key, "{:+.2f}")
        for key, one, other in (
            ("activation_over_magnitude", "neurons by activation", "neurons by magnitude"),
            ("reap_over_frequency", "experts by REAP", "experts by frequency"),
        )
    ),
    bench("Pruned: points lost with half of the experts, by REAP", RECORD, "reap_over_parent", "{:+.2f}", goal="-1"),
)


def recoveries(record: Record) -> dict[str, list[list[tuple[float, float]]]]:
    """The curves of all runs, by what was pruned."""
    curves, seeds = record["config"]["curves"], record["config"]["seeds"]
    return {
        what: [[(tokens, loss) for tokens, loss in curves[f"{way}_{seed}"]] for seed in seeds]
        for way, what in WAYS.items()
        if way in record["config"]["ways"]
    }
