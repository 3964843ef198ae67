"""Prompts that have been read, kept for requests that begin alike: the oldest leave when memory runs short."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile

from tuili.engine.runtime.torch.kv_cache import Saved, Slots

MOST = 64
"""Prompts that are kept, for all of them are looked through."""
SHORTEST = 16
"""Tokens in common that are worth copying instead of reading them again."""


class Prefixes:
    """Saved rows by their ids, up to some bytes in all."""

    def __init__(self, limit: int) -> None:
        self._limit, self.bytes = limit, 0
        self._saved: OrderedDict[tuple[int, ...], Saved] = OrderedDict()

    def keep(self, slots: Slots, row: int, ids: Sequence[int]) -> None:
        """Save what a row holds, which is these ids."""
        key = tuple(ids)
        if len(key) < SHORTEST or self._limit == 0 or key in self._saved:
            return
        saved = slots.save(row)
        if saved.bytes > self._limit:
            return
        self._saved[key] = saved
        self.bytes += saved.bytes
        while self.bytes > self._limit or len(self._saved) > MOST:
            _, oldest = self._saved.popitem(last=False)
            self.bytes -= oldest.bytes

    def reuse(self, slots: Slots, row: int, ids: Sequence[int]) -> int:
        """Fill a row with the longest saved beginning of these ids, their last one left out; its number of tokens."""
        wanted = tuple(ids[:-1])
        best, most = None, SHORTEST - 1
        for key in self._saved:
            if (common := _common(key, wanted)) > most:
                best, most = key, common
        if best is None:
            slots.clear(row)
            return 0
        self._saved.move_to_end(best)
        slots.load(row, self._saved[best], most)
        return most


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The number of ids with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
