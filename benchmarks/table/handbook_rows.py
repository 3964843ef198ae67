"""What a model gained from a folder of documents, as the worked example shows it."""

from __future__ import annotations

from benchmarks.table.rows import Row, Value, bench, joined, middle, results

COLUMNS = ("problems that are in none of the documents", "how many", "right before", "right after", "record")
_SETS = {"held": "worded as those in the documents", "others": "in other wordings"}


def _share(key: str) -> Value:
    return joined("{} ({} to {})", *(middle(f"{key}{end}", "{:.2f}") for end in ("", "_low95", "_high95")))


HANDBOOK = tuple(
    Row(
        what,
        results("handbook"),
        (middle(f"{key}_problems", "{:.0f}"), _share(f"{key}_before"), _share(f"{key}_after")),
    )
    for key, what in _SETS.items()
)

GAINED = tuple(
    bench(
        f"`nano`, taught 285 problems from a folder of documents: problems {what}, right {when}",
        "handbook",
        f"{key}_{when}",
        "{:.3f}",
    )
    for key, what in _SETS.items()
    for when in ("before", "after")
)
