"""The key/value cache: token ids, keys, values and unit means of the running sequences, each in a fixed slot.

A slot is one row of every tensor. Tokens are only appended to a row or taken back from its end, so rows need no padding
and stay where they are from step to step. The keys and values of a row lie in one run of columns: its tokens to the
right of a centre column, the means of its units to the left, so that a query reads both at once. Lengths and unit
borders are kept in plain Python, so that a step uploads one small table of numbers.

`attention_metadata` says what queries may read, `lean_model` computes keys and values, `model_runner` assigns slots.

Dimensions: C slots, A rows of a step, T new tokens of each, Y = T + W - 1, W columns of the short convolution, U units,
S tokens, X = U + S columns, K key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from tuili.model import TuiliConfig, rotary

INITIAL_TOKEN_COLUMNS, INITIAL_UNIT_COLUMNS = 128, 32
"""Columns to the right and to the left of the centre at first. They are doubled as rows need more."""
COLUMN_MULTIPLE = 8
"""Columns are read in multiples of this on either side of the centre, so that tensors have few different shapes."""


class CacheView(NamedTuple):
    """T new tokens of A adjacent rows, and the part of the cache that their queries may read.

    recent_AY: the ids of the new tokens and of the W - 1 tokens before them, -1 where there are none. column_AT,
    unit_AT: position and unit of each new token. open_A1: tokens that the unit of a row's first new token held before
    that token. unit_AS: the unit of each token so far. kv_A2KXD: keys and values of each layer that has its own.
    top_units: how many of the best-scoring units a query reads token by token; 0 where no query sees more units.
    """

    recent_AY: Tensor
    column_AT: Tensor
    unit_AT: Tensor
    open_A1: Tensor
    unit_AS: Tensor
    kv_A2KXD: tuple[Tensor, ...]
    top_units: int


@dataclass
class TokenRow:
    """The ids of a row, the unit of each id, and the size of the open unit: 0 where the last unit is closed."""

    ids: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    open: int = 0

    @property
    def unit_count(self) -> int:
        """Units so far, an open one included."""
        return self.units[-1] + 1 if self.units else 0


@dataclass(frozen=True)
class SavedRow:
    """A copy of a row: its ids, the unit of each, and the keys and values [2, K, X, D] of each layer."""

    ids: tuple[int, ...]
    units: tuple[int, ...]
    kv: list[Tensor]

    @property
    def bytes(self) -> int:
        """Memory of the copy in bytes."""
        return sum(layer.nbytes for layer in self.kv) + 16 * len(self.ids)


class KVCache:
    """`count` slots for sequences of one model, all empty at first."""

    def __init__(self, config: TuiliConfig, count: int, dtype: torch.dtype, device: torch.device) -> None:
        self.config, self.count, self.device = config, count, device
        heads, size = config.num_key_value_heads, config.head_dim
        self._centre, self._right = INITIAL_UNIT_COLUMNS if config.layered else 0, INITIAL_TOKEN_COLUMNS
        width = self._centre + self._right
        self._kv = [
            torch.zeros(count, 2, heads, width, size, dtype=dtype, device=device)
            for _ in range(config.trunk_layers + 1)
        ]
        self._unit_CS = torch.zeros(count, self._right, dtype=torch.long, device=device)
        self._rows = [TokenRow() for _ in range(count)]
        self._separators = frozenset(config.separator_token_ids or [])
        positions_1S = torch.arange(config.max_position_embeddings, device=device)[None]
        cos_1SD, sin_1SD = rotary(positions_1S, size, config.rope_theta)
        self.cos_SD, self.sin_SD = cos_1SD[0].to(dtype), sin_1SD[0].to(dtype)
        """Cosines and sines of rotary embedding; the sines of the first half of a head are negative."""
        self.sin_SD[:, : size // 2] *= -1

    @property
    def length(self) -> list[int]:
        """Tokens in each slot."""
        return [len(row.ids) for row in self._rows]

    def advance(self, slots: slice, id_AT: Tensor) -> CacheView:
        """Append T tokens to each of these slots."""
        open_before = [row.open for row in self._rows[slots]]
        for row, ids in zip(self._rows[slots], id_AT.tolist(), strict=True):
            self._extend(row, ids)
        self._widen()
        return self._view(slots, id_AT.shape[1], open_before)

    def review(self, slots: slice, last: int) -> CacheView:
        """A view at the last tokens of these slots, which are in the cache already."""
        return self._view(slots, last, [0] * len(self._rows[slots]))

    def _extend(self, row: TokenRow, ids: Sequence[int]) -> None:
        """Append ids to a row and divide them into units. The first token of a row is a unit of its own."""
        for token in ids:
            row.units.append(row.unit_count if row.open == 0 else row.unit_count - 1)
            row.open += 1
            if token in self._separators or row.open == self.config.max_unit or not row.ids:
                row.open = 0
            row.ids.append(token)

    def _view(self, slots: slice, last: int, open_before: list[int]) -> CacheView:
        """Upload ids, units and lengths of the last tokens of these slots as one table."""
        rows, back = self._rows[slots], self.config.convolution_width - 1
        table = []
        for row, size in zip(rows, open_before, strict=True):
            recent = row.ids[-last - back :]
            missing = [-1] * (last + back - len(recent))
            table.append([*missing, *recent, *row.units[-last:], len(row.ids) - last, size])
        sizes = (last + back, last, 1, 1)
        recent_AY, unit_AT, start_A1, open_A1 = torch.tensor(table, device=self.device).split(sizes, dim=1)
        column_AT = start_A1 if last == 1 else start_A1 + torch.arange(last, device=self.device)
        tokens = _round_up(max(len(row.ids) for row in rows))
        unit_count = max(row.unit_count for row in rows)
        units = _round_up(max(unit_count, self.config.top_units)) if self.config.layered else 0
        columns = slice(self._centre - units, self._centre + tokens)
        kv_A2KXD = tuple(layer[slots, :, :, columns] for layer in self._kv)
        top_units = self.config.top_units if units and unit_count - 1 > self.config.top_units else 0
        unit_AS = self._unit_CS[slots, :tokens]
        if units:
            unit_AS.scatter_(1, column_AT, unit_AT)
        return CacheView(recent_AY, column_AT, unit_AT, open_A1, unit_AS, kv_A2KXD, top_units)

    def clear(self, slot: int) -> None:
        """Empty a slot."""
        self.truncate(slot, 0)

    def truncate(self, slot: int, length: int) -> None:
        """Take back all tokens of a slot behind the first `length`."""
        row = self._rows[slot]
        assert 0 <= length <= len(row.ids)
        del row.ids[length:], row.units[length:]
        if not length:
            row.open = 0
            return
        last = row.units[-1]
        size = length - row.units.index(last)
        closed = length == 1 or size == self.config.max_unit or row.ids[-1] in self._separators
        row.open = 0 if closed else size
        if self.config.layered:  # the mean of the last unit no longer holds what was taken back
            for layer in self._kv:
                members = layer[slot, :, :, self._centre + length - size : self._centre + length]
                layer[slot, :, :, self._centre - 1 - last] = members.mean(2)

    def save(self, slot: int) -> SavedRow:
        """Copy a slot out of the cache."""
        row = self._rows[slot]
        columns = self._columns(row.unit_count, len(row.ids))
        return SavedRow(tuple(row.ids), tuple(row.units), [layer[slot, :, :, columns].clone() for layer in self._kv])

    def load(self, slot: int, saved: SavedRow, length: int) -> None:
        """Fill a slot with the first `length` tokens of a copy."""
        row = self._rows[slot] = TokenRow(list(saved.ids), list(saved.units))
        self._widen()
        columns = self._columns(row.unit_count, len(row.ids))
        for layer, copy in zip(self._kv, saved.kv, strict=True):
            layer[slot, :, :, columns] = copy
        self._unit_CS[slot, : len(row.ids)] = torch.tensor(row.units, device=self.device)
        self.truncate(slot, length)

    def move(self, source: int, target: int) -> None:
        """Copy one slot to another."""
        row = self._rows[source]
        columns = self._columns(row.unit_count, len(row.ids))
        for layer in self._kv:
            layer[target, :, :, columns] = layer[source, :, :, columns]
        self._unit_CS[target] = self._unit_CS[source]
        self._rows[target] = TokenRow(list(row.ids), list(row.units), row.open)

    def _columns(self, units: int, tokens: int) -> slice:
        """The columns of so many units and tokens."""
        return slice(self._centre - units if self.config.layered else 0, self._centre + tokens)

    def _widen(self) -> None:
        """Double the columns on either side of the centre until every row fits."""
        tokens, units = max(len(row.ids) for row in self._rows), 0
        if self.config.layered:
            units = _round_up(max(self.config.top_units, *(row.unit_count for row in self._rows)))
        left, right = self._centre, self._right
        while left < units:
            left *= 2
        while right < tokens:
            right *= 2
        if (left, right) == (self._centre, self._right):
            return
        more = (0, 0, left - self._centre, right - self._right)
        self._kv = [torch.nn.functional.pad(layer, more) for layer in self._kv]
        self._unit_CS = torch.nn.functional.pad(self._unit_CS, (0, right - self._right))
        self._centre, self._right = left, right


def _round_up(columns: int) -> int:
    return -(-columns // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
