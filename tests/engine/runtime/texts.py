"""Texts in the slots of a step, without a runner: they grow, shrink, and are copied as a test wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.engine.runtime.step import ModelStep
from tuili.engine.runtime.token_rows import TableWriter, TokenRow


@dataclass
class Saved:
    """A copy of a text."""

    ids: list[int]
    units: list[int]
    copy: Any


class Texts:
    """One text in each slot of a step."""

    def __init__(self, step: ModelStep[Any], rows: int = 256) -> None:
        self.step, self.batch = step, step.batch(rows)
        self.rows = [TokenRow(step.shape) for _ in range(step.slots)]
        self._writer = TableWriter(self.batch, step.shape)

    def trunk(self, tokens: list[tuple[int, int]]) -> None:
        """Append tokens, given as slot and id, and run them through the trunk in the first rows of the batch."""
        for place, (slot, token) in enumerate(tokens):
            self._writer.append(place, slot, self.rows[slot], token)
            self.step.reserve(slot, len(self.rows[slot].ids), self.rows[slot].unit_count)
        self.step.trunk(self.batch, len(tokens))

    def exits(self, rows: list[int]) -> list[NDArray[np.float32]]:
        """The logits [rows, V] of these rows at each exit."""
        self.batch.going[: len(rows)] = rows
        logits = []
        for index in range(self.step.shape.num_groups + 1):
            self.step.exit(self.batch, len(rows))
            logits.append(self.step.logits(self.batch, rows))
            if index < self.step.shape.num_groups:
                self.step.group(self.batch, index, len(rows))
        return logits

    def read(self, slot: int, ids: list[int]) -> list[NDArray[np.float32]]:
        """Append ids to a slot. Returns their logits at each exit."""
        self.trunk([(slot, token) for token in ids])
        return self.exits(list(range(len(ids))))

    def cut(self, slot: int, length: int) -> None:
        """Take back all tokens of a slot behind the first `length`."""
        if length == 0:
            self.rows[slot] = TokenRow(self.step.shape)
        elif length < len(self.rows[slot].ids):
            members = self.rows[slot].cut(length)
            self.step.cut(slot, length, self.rows[slot].unit_count - 1, members)

    def save(self, slot: int) -> Saved:
        """A copy of a slot."""
        row = self.rows[slot]
        return Saved(list(row.ids), list(row.units), self.step.save(slot, len(row.ids), row.unit_count))

    def load(self, slot: int, saved: Saved, length: int) -> None:
        """Fill a slot with the first `length` tokens of a copy."""
        row = self.rows[slot] = TokenRow(self.step.shape)
        if length:
            members = row.fill(saved.ids[:length], saved.units[:length])
            self.step.reserve(slot, length, row.unit_count)
            self.step.load(slot, saved.copy, length, row.unit_count)
            if length < len(saved.ids):
                self.step.cut(slot, length, row.unit_count - 1, members)
