"""Time that only goes on where a test says so, and a network whose layers take some of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tuili.engine import Scheduler
from tuili.engine.runtime.torch.attention_metadata import AttentionMetadata, CachedKeyValues
from tuili.engine.runtime.torch.kv_cache import KVCache
from tuili.engine.runtime.torch.lean_model import LeanModel


@dataclass
class Clock:
    """Goes on by a fixed amount with each look, and by what is added to `now`."""

    now: float = 0.0
    step: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def take_time(scheduler: Scheduler, clock: Clock, jitter: Callable[[], float] = lambda: 1.0) -> None:
    """Let a scheduler's layers take milliseconds as those of nano do on one core, each time multiplied by a jitter."""
    timed: Any = _Timed(scheduler._network, clock, jitter)
    scheduler._network = scheduler._drafting._network = timed


class _Timed:
    """A network that takes time."""

    def __init__(self, network: LeanModel, clock: Clock, jitter: Callable[[], float]) -> None:
        self._network, self._clock, self._jitter = network, clock, jitter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def trunk(self, slots: KVCache, rows: slice, id_AT: Tensor) -> tuple[Tensor, CachedKeyValues, AttentionMetadata]:
        A, T = id_AT.shape
        self._clock.now += self._jitter() * 1e-3 * (3.0 + 0.4 * A + 0.1 * (T - 1))
        return self._network.trunk(slots, rows, id_AT)

    def group(self, index: int, hidden_ATM: Tensor, kv: CachedKeyValues, step: AttentionMetadata) -> Tensor:
        self._clock.now += self._jitter() * 1e-3 * (1.2 + 0.05 * len(hidden_ATM))
        return self._network.group(index, hidden_ATM, kv, step)

    def to_full_depth(self, slots: KVCache, first: int, hidden_ATM: Tensor) -> Tensor:
        tokens = hidden_ATM.shape[0] * hidden_ATM.shape[1]
        self._clock.now += self._jitter() * 1e-3 * (3.0 + 0.3 * tokens)
        return self._network.to_full_depth(slots, first, hidden_ATM)
