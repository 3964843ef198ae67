"""The token ids of one text in the cache, divided into units, and their rows in the integer table of `step`.

A unit ends at a separator token or when it is full. The first token of a text is its own unit.
"""

from __future__ import annotations

from struct import Struct

from tuili.engine.runtime.step import RECENT, Shape, StepBatch


class TokenRow:
    """The ids of a text, the unit of each id, and the size of the open unit: 0 if the last unit is closed."""

    __slots__ = ("_max_unit", "_separators", "ids", "open", "units")

    def __init__(self, shape: Shape) -> None:
        self.ids: list[int] = []
        self.units: list[int] = []
        self.open = 0
        self._separators, self._max_unit = frozenset(shape.separator_token_ids or ()), shape.max_unit

    @property
    def unit_count(self) -> int:
        """Units so far, including an open one."""
        return self.units[-1] + 1 if self.units else 0

    def append(self, token: int) -> tuple[int, int]:
        """Append a token. Returns its unit, and how many tokens the unit held before it."""
        units, held = self.units, self.open
        unit = 0 if not units else units[-1] if held else units[-1] + 1
        closed = not units or held + 1 == self._max_unit or token in self._separators
        self.open = 0 if closed else held + 1
        units.append(unit)
        self.ids.append(token)
        return unit, held

    def fill(self, ids: list[int], units: list[int]) -> int:
        """Adopt the beginning of another text. Returns the members of its last unit, as `cut` does."""
        self.ids, self.units = ids, units
        return self.cut(len(ids))

    def cut(self, length: int) -> int:
        """Remove all tokens after the first `length`, which is at least 1.

        Returns how many of the remaining tokens belong to the last unit.
        """
        assert 0 < length <= len(self.ids)
        del self.ids[length:], self.units[length:]
        members = length - self.units.index(self.units[-1], max(0, length - self._max_unit))
        closed = length == 1 or members == self._max_unit or self.ids[-1] in self._separators
        self.open = 0 if closed else members
        return members


class TableWriter:
    """Writes tokens into the integer table of a batch."""

    def __init__(self, batch: StepBatch, shape: Shape) -> None:
        self._width = shape.convolution_width
        row = Struct(f"={RECENT + self._width}i")
        assert batch.table.dtype.itemsize * batch.table.shape[1] == row.size
        self._pack, self._size, self._bytes = row.pack_into, row.size, batch.table.data.cast("B")

    def append(self, place: int, slot: int, row: TokenRow, token: int) -> int:
        """Append a token to a text, and write it into row `place` of the table. Returns its unit."""
        position = len(row.ids)
        unit, held = row.append(token)
        recent = row.ids[-self._width :]
        if position + 1 < self._width:
            recent = [-1] * (self._width - position - 1) + recent
        self._pack(self._bytes, place * self._size, slot, position, unit, held, *recent)
        return unit
