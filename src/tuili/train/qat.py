"""Quantisation-aware training: which integer format a run learns, and from which step on.

`tuili.store.Quantization` defines what is rounded and how; `tuili.model` trains through the rounding.
"""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt

from tuili.config import Config
from tuili.store import Quantization, WholeNumbers


class QatConfig(Config):
    """The integer format of a run's model. The model is saved in it, and runs in it without being rounded again."""

    numbers: WholeNumbers | None = None
    """`int8`: weights per output, and inputs per token. `w4a8`: 4-bit weights in groups of 32 inputs. Or none."""
    start: NonNegativeInt = 0
    """Steps without rounding, before the first step with it."""
    cache: Literal["int8"] | None = None
    """Whether keys and values are rounded too."""

    def at(self, step: int) -> Quantization | None:
        """The quantisation of a step, counted from 0; None without rounding."""
        return None if self.numbers is None or step < self.start else Quantization(self.numbers, self.cache)
