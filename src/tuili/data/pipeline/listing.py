"""The list of drops: what it says of each, and of the refusals of a file that has the same fault again and again.

Counts of all of them are left to `tally`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tuili.data.pipeline.pipeline import Dropped, Refused

MAX_LISTED = 1000
"""Refusals of a file for a fault that are listed one by one. A bomb of a megabyte holds millions of bad lines."""


class Refusals(msgspec.Struct):
    """The refusals of the file that is being read: bounded, however many there are."""

    file: int = 0
    """Its number in the corpus."""
    counts: dict[str, int] = {}
    """By fault."""
    last: dict[str, Refused] = {}
    """The last one of each fault, of those that are not listed one by one."""

    def listed(self, refused: Refused) -> bool:
        """Count a refusal; whether it is to be listed by itself."""
        fault = str(refused.refusal.fault)
        count = self.counts[fault] = self.counts.get(fault, 0) + 1
        if count > MAX_LISTED:
            self.last[fault] = refused
        return count <= MAX_LISTED

    def turn_to(self, file: int) -> Iterator[dict[str, Any]]:
        """Go on with a file, and give an entry of the list for each fault of the one before that has more refusals."""
        if file == self.file:
            return
        for fault, refused in self.last.items():
            more = self.counts[fault] - MAX_LISTED
            message = f"the last of {more:,} more in this file: {refused.refusal.message}"
            yield entry(refused) | {"message": message, "count": more}
        self.file, self.counts, self.last = file, {}, {}


def entry(settled: Dropped | Refused, excerpts: bool = True) -> dict[str, Any]:
    """What the list says of a document that was dropped, or of what was refused. excerpts: whether it shows the
    beginning of the text."""
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
