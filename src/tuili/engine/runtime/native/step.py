"""The step of a model in the native library: `tuili.native` computes, and its arrays are used without copying.

Dimensions: N rows, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.native.verifier import StoredVerifier
from tuili.engine.runtime.runner import Observation, Runtime
from tuili.engine.runtime.step import Shape
from tuili.native import Among, Batch, NativeModel, SavedSlot


class NativeStep:
    """A `ModelStep` over a packed model.

    Args:
        slots: slots of the cache.
        verifier: judges responses.
    """

    def __init__(
        self, model: NativeModel, shape: Shape, slots: int = 16, verifier: StoredVerifier | None = None
    ) -> None:
        self.shape, self.slots, self.verifies = shape, slots, verifier is not None
        numbers, cache = model.number_format, model.cache_format
        self.runtime = Runtime("native", numbers if numbers == cache else f"{numbers}, cache {cache}")
        self.thinking_ids = model.ids_of("thinking")
        self._model, self._slots, self._verifier = model, model.slots(slots), verifier
        counters = model.counters
        self._counted = counters.expert_tokens.copy(), counters.tokens.copy(), counters.active_share.copy()

    def batch(self, rows: int) -> Batch:
        """See `ModelStep`."""
        return self._model.batch(rows)

    def trunk(self, batch: Batch, count: int) -> None:
        """See `ModelStep`."""
        self._model.trunk(self._slots, batch, count)

    def group(self, batch: Batch, index: int, count: int) -> None:
        """See `ModelStep`."""
        self._model.group(self._slots, batch, index, count)

    def exit(self, batch: Batch, count: int, among: Among = "all") -> None:
        """See `ModelStep`."""
        self._model.exit(batch, count, among)

    def confidence(self, batch: Batch, index: int, count: int) -> None:
        """See `ModelStep`."""
        self._model.confidence(self._slots, batch, index, count)

    def leave(self, batch: Batch, index: int, count: int) -> None:
        """See `ModelStep`."""
        self._model.leave(self._slots, batch, index, count)

    def logits(self, batch: Batch, rows: Sequence[int]) -> NDArray[np.float32]:
        """See `ModelStep`."""
        return batch.logits[list(rows)]

    def wait(self) -> None:
        """See `ModelStep`. Every call has already finished its work."""

    def reserve(self, slot: int, tokens: int, units: int) -> None:
        """See `ModelStep`."""
        self._slots.reserve(slot, tokens, units)

    def clear(self, slot: int) -> None:
        """See `ModelStep`."""
        self._slots.clear(slot)

    def save(self, slot: int, tokens: int, units: int) -> SavedSlot:
        """See `ModelStep`."""
        return self._slots.save(slot, tokens, units)

    def load(self, slot: int, saved: SavedSlot, tokens: int, units: int) -> None:
        """See `ModelStep`."""
        self._slots.load(slot, saved, tokens, units)

    def cut(self, slot: int, tokens: int, unit: int, members: int) -> None:
        """See `ModelStep`. The library computes the mean of a unit when the next one begins."""

    def states(self, batch: Batch, first: int, end: int) -> NDArray[np.float32]:
        """See `ModelStep`."""
        return batch.hidden[first:end].copy()

    def judge(
        self, trunk: Sequence[NDArray[np.float32]], full: Sequence[NDArray[np.float32]], ids: Sequence[int]
    ) -> tuple[list[float], list[float]]:
        """See `ModelStep`."""
        assert self._verifier is not None
        return self._verifier.judge(np.concatenate(trunk) if trunk else None, np.concatenate(full), ids)

    def observe(self) -> Observation | None:
        """See `ModelStep`. The library counts every step."""
        counters = self._model.counters
        now = counters.expert_tokens.copy(), counters.tokens.copy(), counters.active_share.copy()
        expert_LE, tokens_L, share_L = (new - old for new, old in zip(now, self._counted, strict=True))
        if not tokens_L[0]:
            return None
        self._counted = now
        return Observation(tuple(map(tuple, expert_LE.tolist())), tuple((share_L / np.maximum(tokens_L, 1)).tolist()))
