"""The prefix cache: prompts that have been read, kept for requests with the same beginning.

When its memory is full, the least recently used prompt is evicted first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.token_rows import TokenRow

MAX_PROMPTS = 64
"""Maximum number of prompts kept, because every lookup compares with all of them."""
MIN_COMMON_TOKENS = 16
"""Minimum common tokens for which copying is faster than reading them again."""
ID_BYTES = 16
"""Bytes of the id and the unit of a token."""


@dataclass(frozen=True)
class KeptPrompt:
    """A copy of a slot: the unit of each id, and what the step has saved."""

    units: tuple[int, ...]
    saved: Any

    @property
    def bytes(self) -> int:
        """Memory of the copy in bytes."""
        return int(self.saved.nbytes) + ID_BYTES * len(self.units)


class PrefixCache:
    """Copies of slots by their token ids, up to `max_bytes` in total."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self.bytes = max_bytes, 0
        self._kept: OrderedDict[tuple[int, ...], KeptPrompt] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def save(self, step: ModelStep[Any], slot: int, row: TokenRow) -> None:
        """Keep a copy of a slot, which holds the text of `row`. The last token is omitted if it does not yet have keys
        and values in deeper layers."""
        key = tuple(row.ids[:-1] if step.shape.per_layer_kv else row.ids)
        if len(key) < MIN_COMMON_TOKENS or self._max_bytes == 0 or key in self._kept:
            return
        units = tuple(row.units[: len(key)])
        kept = KeptPrompt(units, step.save(slot, len(key), units[-1] + 1))
        if kept.bytes > self._max_bytes:
            return
        self._kept[key] = kept
        self.bytes += kept.bytes
        while self.bytes > self._max_bytes or len(self._kept) > MAX_PROMPTS:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.bytes

    def load(self, step: ModelStep[Any], slot: int, row: TokenRow, ids: Sequence[int]) -> None:
        """Fill a slot and its empty row with the longest kept prefix of these ids, excluding the last id."""
        wanted = tuple(ids[:-1])
        best, longest = None, MIN_COMMON_TOKENS - 1
        for key in self._kept:
            if longest < min(len(key), len(wanted)) and key[: longest + 1] == wanted[: longest + 1]:
                best, longest = key, _common(key, wanted)
        if best is None:
            return
        self._kept.move_to_end(best)
        kept = self._kept[best]
        members = row.fill(list(best[:longest]), list(kept.units[:longest]))
        step.reserve(slot, longest, row.unit_count)
        step.load(slot, kept.saved, longest, row.unit_count)
        if longest < len(best):
            step.cut(slot, longest, row.unit_count - 1, members)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The length of the common prefix."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
