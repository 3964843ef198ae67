"""The prefix cache: prompts that have been read, kept for requests that begin alike.

When its memory is full, the prompt that was used longest ago leaves first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile

from tuili.engine.runtime.torch.kv_cache import KVCache, SavedRow

MAX_PROMPTS = 64
"""Prompts that are kept, because every lookup compares with all of them."""
MIN_COMMON_TOKENS = 16
"""Tokens in common from which on copying them beats reading them again."""


class PrefixCache:
    """Copies of cache rows by their token ids, up to `max_bytes` in all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self.bytes = max_bytes, 0
        self._saved: OrderedDict[tuple[int, ...], SavedRow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._saved)

    def save(self, cache: KVCache, slot: int, ids: Sequence[int]) -> None:
        """Keep a copy of a slot, whose tokens are `ids`."""
        key = tuple(ids)
        if len(key) < MIN_COMMON_TOKENS or self._max_bytes == 0 or key in self._saved:
            return
        saved = cache.save(slot)
        if saved.bytes > self._max_bytes:
            return
        self._saved[key] = saved
        self.bytes += saved.bytes
        while self.bytes > self._max_bytes or len(self._saved) > MAX_PROMPTS:
            _, oldest = self._saved.popitem(last=False)
            self.bytes -= oldest.bytes

    def load(self, cache: KVCache, slot: int, ids: Sequence[int]) -> int:
        """Fill a slot with the longest kept prefix of these ids, their last one left out. Returns its length."""
        wanted = tuple(ids[:-1])
        best, longest = None, MIN_COMMON_TOKENS - 1
        for key in self._saved:
            if (common := _common(key, wanted)) > longest:
                best, longest = key, common
        if best is None:
            cache.clear(slot)
            return 0
        self._saved.move_to_end(best)
        cache.load(slot, self._saved[best], longest)
        return longest


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The number of ids with which both begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))
