"""The KV cache: keys, values and unit means of the running sequences, each in a slot.

A slot is one row of every tensor. Its keys and values occupy contiguous columns: its tokens to the right of a centre
column, the means of its units to the left, so that a query reads both at once. `model_runner` knows which text is in a
slot, `attention_plan` what queries may read; `lean_model` computes keys and values.

Dimensions: C slots, U units, S tokens, X = U + S columns, K key/value heads, D head size, P positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuili.native import Sizes

INITIAL_TOKEN_COLUMNS, INITIAL_UNIT_COLUMNS = 128, 32
"""Initial columns to the right and to the left of the centre. They are doubled as slots need more."""
COLUMN_MULTIPLE = 8
"""Columns are read in multiples of this on either side of the centre, so that tensors have few different shapes."""


@dataclass(frozen=True)
class SavedSlot:
    """A copy of a slot: the unit of each token, and the keys and values [2, K, X, D] of each layer around `centre`."""

    unit_S: Tensor
    kv: list[Tensor]
    centre: int

    @property
    def nbytes(self) -> int:
        """Memory of the copy in bytes."""
        return self.unit_S.nbytes + sum(layer.nbytes for layer in self.kv)


class KVCache:
    """`count` slots for sequences of one model.

    kv: keys and values [C, 2, K, X, D] of each set. unit_CS: the unit of each token.

    Args:
        angles: cosines and sines [P, D] of rotary embedding at each position.
    """

    def __init__(
        self, sizes: Sizes, count: int, dtype: torch.dtype, device: torch.device, angles: tuple[Tensor, Tensor]
    ) -> None:
        self.sizes, self.count, self.device = sizes, count, device
        heads, size = sizes.num_key_value_heads, sizes.head_dim
        self.centre, self._right = INITIAL_UNIT_COLUMNS if sizes.layered else 0, INITIAL_TOKEN_COLUMNS
        width = self.centre + self._right
        self.kv = [torch.zeros(count, 2, heads, width, size, dtype=dtype, device=device) for _ in range(sizes.sets)]
        self.unit_CS = torch.zeros(count, self._right, dtype=torch.long, device=device)
        cos_PD, sin_PD = angles
        self.cos_PD, self.sin_PD = cos_PD.to(device, dtype), sin_PD.to(device, dtype, copy=True)
        """Cosines and sines of rotary embedding; the sines of the first half of a head are negative."""
        self.sin_PD[:, : size // 2] *= -1
        self.reserve(INITIAL_TOKEN_COLUMNS, INITIAL_UNIT_COLUMNS)

    def reserve(self, tokens: int, units: int) -> None:
        """Double the columns on either side of the centre until this many tokens and units fit into every slot."""
        left, right = self.centre, self._right
        while left < self.unit_columns(units):
            left *= 2
        while right < tokens:
            right *= 2
        if (left, right) == (self.centre, self._right):
            return
        more = (0, 0, left - self.centre, right - self._right)
        self.kv = [torch.nn.functional.pad(layer, more) for layer in self.kv]
        self.unit_CS = torch.nn.functional.pad(self.unit_CS, (0, right - self._right))
        self.centre, self._right = left, right

    def unit_columns(self, units: int) -> int:
        """How many columns are read for this many units."""
        return round_up(max(units, self.sizes.top_units)) if self.sizes.layered else 0

    def save(self, slot: int, tokens: int, units: int) -> SavedSlot:
        """A copy of the first tokens and units of a slot."""
        left = units if self.sizes.layered else 0
        columns = slice(self.centre - left, self.centre + tokens)
        return SavedSlot(
            self.unit_CS[slot, :tokens].clone(), [layer[slot, :, :, columns].clone() for layer in self.kv], left
        )

    def load(self, slot: int, saved: SavedSlot, tokens: int, units: int) -> None:
        """Fill a slot with the first tokens and units of a copy."""
        left = units if self.sizes.layered else 0
        columns = slice(self.centre - left, self.centre + tokens)
        for layer, copy in zip(self.kv, saved.kv, strict=True):
            layer[slot, :, :, columns] = copy[:, :, saved.centre - left : saved.centre + tokens]
        self.unit_CS[slot, :tokens] = saved.unit_S[:tokens]

    def cut(self, slot: int, tokens: int, unit: int, members: int) -> None:
        """Recompute the mean of a unit, which now has the last `members` of the first `tokens` tokens of a slot."""
        if self.sizes.layered:
            for layer in self.kv:
                member_2KSD = layer[slot, :, :, self.centre + tokens - members : self.centre + tokens]
                layer[slot, :, :, self.centre - 1 - unit] = member_2KSD.mean(2)


def round_up(columns: int) -> int:
    """The next multiple of `COLUMN_MULTIPLE`."""
    return -(-columns // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
