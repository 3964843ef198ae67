"""Counts of what a scheduler has done since it was created."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tuili.engine.sequence import StopReason


@dataclass
class SchedulerStats:
    """Counts of sequences and tokens. Every submitted sequence is waiting, running or ended.

    prompt_tokens: prefilled tokens; cached_tokens: tokens filled in by the prefix cache. tokens: tokens that were
    decoded or written by the checker. layer_steps: layers times tokens of ended sequences.
    """

    submitted: int = 0
    ended: Counter[StopReason] = field(default_factory=Counter)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    tokens: int = 0
    layer_steps: int = 0
    steps: int = 0
