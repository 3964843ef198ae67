"""Results of pruned models: what is left of them, and of the answers of their parent."""

from __future__ import annotations

from benchmarks.table.compressed_rows import columns, kept_rows, recovered_rows
from benchmarks.table.rows import bench

RECORD = "pruned"
WAYS = {
    "activation": "30% of the neurons, by activation",
    "magnitude": "30% of the neurons, by magnitude",
    "activation_8": "30% of the neurons, by activation, in multiples of 8",
    "reap": "8 of 16 experts, by REAP",
    "frequency": "8 of 16 experts, by frequency",
}
COLUMNS = columns("what was pruned", ["parameters"], ["points, all levels", "points, as cut"])

PRUNED = recovered_rows(RECORD, WAYS, "cut")

KEPT = (
    *kept_rows(
        RECORD,
        "Pruned: {}, then recovered: share of the parent's right answers",
        WAYS,
        lambda way, level: "0.985" if way in ("activation", "magnitude") else "none",
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
