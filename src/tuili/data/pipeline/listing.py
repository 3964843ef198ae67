"""The list of drops: an entry for each drop and refusal, bounded if a file has the same fault many times.

`tally` counts all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tuili.data.pipeline.pipeline import Dropped, Refused

MAX_LISTED = 1000
"""The maximum number of refusals per file and fault that are listed singly. A bomb of 1 MB holds millions of them."""


class Refusals(msgspec.Struct):
    """The refusals of the file being read: bounded, however many there are."""

    file: int = 0
    """The file's number in the corpus."""
    counts: dict[str, int] = {}
    """By fault."""
    last: dict[str, Refused] = {}
    """The last refusal of each fault, among those that are not listed singly."""

    def listed(self, refused: Refused) -> bool:
        """Count a refusal, and return whether it gets an entry of its own."""
        fault = str(refused.refusal.fault)
        count = self.counts[fault] = self.counts.get(fault, 0) + 1
        if count > MAX_LISTED:
            self.last[fault] = refused
        return count <= MAX_LISTED

    def turn_to(self, file: int) -> Iterator[dict[str, Any]]:
        """Move on to a file, and yield an entry for each fault of the previous one that has unlisted refusals."""
        if file == self.file:
            return
        for fault, refused in self.last.items():
            more = self.counts[fault] - MAX_LISTED
            message = f"the last of {more:,} more in this file: {refused.refusal.message}"
            yield entry(refused) | {"message": message, "count": more}
        self.file, self.counts, self.last = file, {}, {}


def entry(settled: Dropped | Refused, excerpts: bool = True) -> dict[str, Any]:
    """The list's entry for a dropped document or a refusal. excerpts: whether to include the beginning of the text."""
    if isinstance(settled, Refused):
        refusal = settled.refusal
        return {
            "place": refusal.place,
            "block": settled.reader,
            "reason": refusal.fault,
            "message": refusal.message,
        }
    trace, drop = settled.trace, settled.drop
    return {
        "id": trace.id,
        "place": trace.place,
        "kind": trace.kind,
        "block": settled.block,
        "reason": drop.reason,
        "measured": drop.measured,
        "characters": trace.characters,
        **({"excerpt": trace.excerpt} if excerpts else {}),
    }
