"""Results of pruned models: what is left of them, and of the answers of their parent."""

from __future__ import annotations

from benchmarks.table.compressed_rows import columns, kept_rows, points, recovered_rows, with_small

RECORD = "pruned"
WAYS = {
    "reconstruction": "30% of the neurons, by reconstruction",
    "reconstruction_longer": "30% of the neurons, by reconstruction, with four times the recovery",
    "reconstruction_rounds": "30% of the neurons, by reconstruction, with four times the recovery, in three rounds",
    "activation": "30% of the neurons, by activation",
    "magnitude": "30% of the neurons, by magnitude",
    "reconstruction_16": "30% of the neurons at least, by reconstruction, in multiples of 16",
    "reap": "8 of 16 experts, by REAP",
    "reap_longer": "8 of 16 experts, by REAP, with four times the recovery",
    "frequency": "8 of 16 experts, by frequency",
}
COLUMNS = columns("what was pruned", ["parameters"], ["points, all levels", "points, as cut"])

PRUNED = with_small(recovered_rows(RECORD, WAYS, "cut"))

_KEPT = (
    *kept_rows(
        RECORD,
        "Pruned: {}, then recovered: share of the parent's right answers",
        WAYS,
        lambda way, level: "0.985" if way.startswith(("reconstruction", "activation", "magnitude")) else "none",
    ),
    *(
        points(f"Pruned: points of right answers of {one} over {other}", RECORD, key)
        for key, one, other in (
            ("reconstruction_over_activation", "neurons by reconstruction", "neurons by activation"),
            ("activation_over_magnitude", "neurons by activation", "neurons by magnitude"),
            ("reap_over_frequency", "experts by REAP", "experts by frequency"),
        )
    ),
    *(
        points(
            f"Pruned: points of right answers over the parent with half of the experts, by REAP{how}",
            RECORD,
            f"{way}_over_parent",
            "-1",
        )
        for way, how in (("reap", ""), ("reap_longer", ", with four times the recovery"))
    ),
)
KEPT = with_small(_KEPT)
