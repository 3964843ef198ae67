"""What a model gained from a folder of documents, as the worked example shows it."""

from __future__ import annotations

from benchmarks.table.rows import Row, before_and_after, interval, middle, results

COLUMNS = ("problems that are in none of the documents", "how many", "right before", "right after", "record")
_SETS = {"held": "worded as those in the documents", "others": "in other wordings"}

HANDBOOK = tuple(
    Row(
        what,
        results("handbook"),
        (middle(f"{key}_problems", "{:.0f}"), *(interval(f"{key}_{when}", "{:.2f}") for when in ("before", "after"))),
    )
    for key, what in _SETS.items()
)

GAINED = tuple(
    row
    for key, what in _SETS.items()
    for row in before_and_after(
        "`nano`, taught 285 problems from a folder of documents", f"problems {what}", "handbook", key
    )
)
