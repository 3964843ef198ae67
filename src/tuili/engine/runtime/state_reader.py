"""What a model computes for whole texts at full depth, for training alongside: exactly as it will for requests.

`reading` reads the texts of requests. Dimensions: T tokens, M hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.reading import through_groups
from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.token_rows import TableWriter, TokenRow

READ_ROWS = 128
"""Maximum tokens that run through the model at once: their logits take a lot of memory."""
UNITS = 32
"""Room for units, of which a text of an imported model has two."""


class ReadText(NamedTuple):
    """What was read of a text, in pieces. state_TM: arrays or tensors, before the final norm."""

    state_TM: list[Any]
    logit_TV: list[NDArray[np.float32]]


class StateReader:
    """Reads texts one after another. The common prefix with the previous text is not read again.

    Args:
        step: of a model in which every layer has its own keys and values.
    """

    def __init__(self, step: ModelStep[Any]) -> None:
        assert step.shape.per_layer_kv
        self._step, self._batch = step, step.batch(READ_ROWS)
        self._writer, self._row, self._room = TableWriter(self._batch, step.shape), TokenRow(step.shape), 0

    def read(self, ids: Sequence[int], start: int) -> ReadText:
        """States and logits after the tokens from `start` on; at least one token precedes `start`."""
        step, batch = self._step, self._batch
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._row.ids, ids[:start], strict=False)))
        if not same:
            self._row = TokenRow(step.shape)
        elif same < len(self._row.ids):
            members = self._row.cut(same)
            step.cut(0, same, self._row.unit_count - 1, members)
        if len(ids) > self._room:
            self._room = max(len(ids), 2 * self._room)
            step.reserve(0, self._room, UNITS)
        read = ReadText([], [])
        for begin in range(same, len(ids), READ_ROWS):
            piece = ids[begin : begin + READ_ROWS]
            for place, token in enumerate(piece):
                self._writer.append(place, 0, self._row, token)
            step.trunk(batch, len(piece))
            through_groups(step, batch, len(piece))
            first, rows = max(0, start - begin), len(piece) - max(0, start - begin)
            if rows > 0:
                read.state_TM.append(step.states(batch, first, len(piece)))
                batch.going[:rows] = range(first, len(piece))
                step.exit(batch, rows)
                read.logit_TV.append(step.logits(batch, range(first, len(piece))))
        return read
