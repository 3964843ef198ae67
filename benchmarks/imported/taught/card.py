"""What the card of the shipped adapter tells of it, from the record: `python -m benchmarks.imported.taught.card`.

Its output is the file that `scripts/ship-adapter --figures` takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.harness.record import RESULTS

KIND = "long"
"""The kind of teaching whose adapter ships."""
TESTS = {
    "mawps_dev": ("MAWPS-dev", ", looked at while the examples were chosen"),
    "asdiv_a": ("ASDiv-A", ", of which nothing is learnt"),
    "gsm8k": ("GSM8K's training part, held back", ""),
}
"""By test set: its name, and what there is to know of it."""
PARTS = {
    "": "",
    "_unmatched": ", none of training with other numbers",
    "_unlike": ", none with most words of one of training",
}
WAYS = {"forced": "calculator forced", "repair": "repair", "off": "off (values were never learnt)"}


def card_figures(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The shares of right answers by questions and way of asking. Where a part leaves nothing out, it is not told."""
    figures = {key: figure["median"] for key, figure in record["figures"].items()}
    told, counts = dict[str, dict[str, float]](), set[tuple[str, int]]()
    for test, (name, known) in TESTS.items():
        for part, what in PARTS.items():
            count = round(figures.get(f"{KIND}_{test}_forced{part}_problems", 0))
            if count and (test, count) not in counts:
                counts.add((test, count))
                ways = {title: figures[f"{KIND}_{test}_{way}{part}"] for way, title in WAYS.items()}
                told[f"{name}{what or known} ({count:,})"] = {title: round(share, 3) for title, share in ways.items()}
    return told


if __name__ == "__main__":
    print(json.dumps(card_figures(json.loads((RESULTS / "imported_taught.json").read_bytes()))))
