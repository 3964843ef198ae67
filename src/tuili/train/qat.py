"""Quantisation-aware training: which whole numbers a run learns, and from which step on.

What is rounded, and how, says `tuili.store.Quantization`; `tuili.model` learns through it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt

from tuili.config import Config
from tuili.store import Quantization, WholeNumbers


class QatConfig(Config):
    """The numbers of a run's model. It is saved in them, and runs in them without being rounded again."""

    numbers: WholeNumbers | None = None
    """`int8`: weights by output, and inputs by token. `w4a8`: weights of 4 bits in groups of 32 inputs. Or none."""
    start: NonNegativeInt = 0
    """Steps without rounding, before the first one with it."""
    cache: Literal["int8"] | None = None
    """Whether keys and values are rounded, too."""

    def at(self, step: int) -> Quantization | None:
        """The numbers of a step, from 0."""
        return None if self.numbers is None or step < self.start else Quantization(self.numbers, self.cache)
