"""What a scheduler has done since it was made, for whoever wants to check or to show it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tuili.engine.sequence import Stop


@dataclass
class Account:
    """All rows that were submitted are waiting, at work, or ended."""

    submitted: int = 0
    ended: Counter[Stop] = field(default_factory=Counter)
    prompt_tokens: int = 0
    reused_tokens: int = 0
    tokens: int = 0
    layer_steps: int = 0
    ticks: int = 0
