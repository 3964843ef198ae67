"""What a model gained from a folder of documents, as the worked example shows it."""

from __future__ import annotations

from benchmarks.table.rows import Row, before_and_after, interval, middle, results, text

COLUMNS = (
    "problems that are in none of the documents",
    "how many",
    "`--calculator`",
    "right before",
    "right after",
    "record",
)
_SETS = {"held": "worded as those in the documents", "others": "in other wordings"}

_WAYS = {"": "off", "_repaired": "repair"}
HANDBOOK = tuple(
    Row(
        what,
        results("handbook"),
        (
            middle(f"{key}_problems", "{:.0f}"),
            text(f"`{way}`"),
            *(interval(f"{key}{ending}_{when}", "{:.2f}") for when in ("before", "after")),
        ),
    )
    for key, what in _SETS.items()
    for ending, way in _WAYS.items()
)

GAINED = tuple(
    row
    for key, what in _SETS.items()
    for ending, told in {"": "", "_repaired": ", the checker putting values right"}.items()
    for row in before_and_after(
        f"`nano`, taught 285 problems from a folder of documents{told}",
        f"problems {what}",
        "handbook",
        f"{key}{ending}",
    )
)
