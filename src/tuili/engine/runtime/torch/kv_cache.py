"""The memory of the rows that are being read and written: ids, keys, values and unit means, each in a fixed place.

A row is a slot. Tokens are only ever added at its end or taken back from there, so nothing is padded, and nothing is
copied from step to step, but what the rows read that go deeper than others. The keys and values of a row stand in one
run of columns: its tokens to the right of the centre, the means of its units to the left, so that a query reads both
at once. How long rows are and where their units end is kept in plain Python, so that a step needs one small table
of numbers. What is computed from keys and values is left to `network`, which request has which slot to the scheduler.

Dimensions: C slots, A rows of a step, T new tokens of each, N units that these belong to, W columns of the short
convolution, U units, S tokens, X = U + S columns, R readings, K key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from tuili.model import TuiliConfig
from tuili.model.rotary import rotary

TOKENS, UNITS = 128, 32
"""Columns on either side of the centre to begin with; they are doubled as rows need more."""
FILL = 8
"""Rows are read up to a multiple of this many columns on either side, so that the shapes of tensors are few."""


class Place(NamedTuple):
    """Where T new tokens of A rows stand, and the memory that their queries may read. Made by `Slots.advance`.

    recent_AY: the ids of the new tokens and of the W - 1 before them, -1 where there are none. unit_AS: the unit of
    each token so far. held_A1: tokens that the unit of a row's first new token held before it. kept_A2KXD: keys and
    values of each layer that has its own. top: where some query sees more units than this, it is to read no tokens
    but those of this many of the best; 0 where none does.
    """

    recent_AY: Tensor
    column_AT: Tensor
    unit_AT: Tensor
    held_A1: Tensor
    unit_AS: Tensor
    kept_A2KXD: tuple[Tensor, ...]
    top: int


@dataclass
class Text:
    """The ids of a row, the unit of each, and the tokens in the unit that is still open: 0 where the last is closed."""

    ids: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    open: int = 0

    @property
    def begun(self) -> int:
        """Units so far."""
        return self.units[-1] + 1 if self.units else 0


@dataclass(frozen=True)
class Saved:
    """A copy of a row: its ids, their units, and for each layer keys and values [2, K, X, D]."""

    ids: tuple[int, ...]
    units: tuple[int, ...]
    kept: list[Tensor]

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return sum(kept.nbytes for kept in self.kept) + 16 * len(self.ids)


class Slots:
    """Places for `count` rows of one model, all empty at first."""

    def __init__(self, config: TuiliConfig, count: int, dtype: torch.dtype, device: torch.device) -> None:
        self.config, self.count, self.device, self.dtype = config, count, device, dtype
        heads, size = config.num_key_value_heads, config.head_dim
        self._centre, self._right = UNITS if config.layered else 0, TOKENS
        width = self._centre + self._right
        self._kept = [
            torch.zeros(count, 2, heads, width, size, dtype=dtype, device=device)
            for _ in range(config.trunk_layers + 1)
        ]
        self._unit_CS = torch.zeros(count, self._right, dtype=torch.long, device=device)
        self._texts = [Text() for _ in range(count)]
        self._separators = frozenset(config.separator_token_ids or [])
        positions_1S = torch.arange(config.max_position_embeddings, device=device)[None]
        cos_1SD, sin_1SD = rotary(positions_1S, size, config.rope_theta)
        self.cos_SD, self.sin_SD = cos_1SD[0].to(dtype), sin_1SD[0].to(dtype)
        """Rotary angles; the sines have the sign of the half that they turn."""
        self.sin_SD[:, : size // 2] *= -1

    @property
    def length(self) -> list[int]:
        """Tokens in each row."""
        return [len(text.ids) for text in self._texts]

    def advance(self, rows: slice, id_AT: Tensor) -> Place:
        """Make place for T more tokens of each of these rows."""
        held = [text.open for text in self._texts[rows]]
        for text, ids in zip(self._texts[rows], id_AT.tolist(), strict=True):
            self._extend(text, ids)
        self._widen()
        return self._place(rows, id_AT.shape[1], held)

    def review(self, rows: slice, last: int) -> Place:
        """The place of the last tokens of these rows, which have been written."""
        return self._place(rows, last, [0] * len(self._texts[rows]))

    def _extend(self, text: Text, ids: Sequence[int]) -> None:
        """Note further ids of a row and divide them into units; the first token is a unit of its own."""
        for token in ids:
            text.units.append(text.begun if text.open == 0 else text.begun - 1)
            text.open += 1
            if token in self._separators or text.open == self.config.max_unit or not text.ids:
                text.open = 0
            text.ids.append(token)

    def _place(self, rows: slice, last: int, held: list[int]) -> Place:
        """Bring what is known about the last tokens of these rows onto the device, as one table."""
        texts, back = self._texts[rows], self.config.convolution_width - 1
        table = []
        for text, open_before in zip(texts, held, strict=True):
            recent = text.ids[-last - back :]
            missing = [-1] * (last + back - len(recent))
            table.append([*missing, *recent, *text.units[-last:], len(text.ids) - last, open_before])
        sizes = (last + back, last, 1, 1)
        recent_AY, unit_AT, start_A1, held_A1 = torch.tensor(table, device=self.device).split(sizes, dim=1)
        column_AT = start_A1 if last == 1 else start_A1 + torch.arange(last, device=self.device)
        tokens = _filled(max(len(text.ids) for text in texts))
        begun = max(text.begun for text in texts)
        units = _filled(max(begun, self.config.top_units)) if self.config.layered else 0
        columns = slice(self._centre - units, self._centre + tokens)
        kept_A2KXD = tuple(kept[rows, :, :, columns] for kept in self._kept)
        top = self.config.top_units if units and begun - 1 > self.config.top_units else 0
        unit_AS = self._unit_CS[rows, :tokens]
        if units:
            unit_AS.scatter_(1, column_AT, unit_AT)
        return Place(recent_AY, column_AT, unit_AT, held_A1, unit_AS, kept_A2KXD, top)

    def clear(self, row: int) -> None:
        """Make a row empty."""
        self.truncate(row, 0)

    def truncate(self, row: int, length: int) -> None:
        """Take back all tokens of a row but the first `length`."""
        text = self._texts[row]
        assert 0 <= length <= len(text.ids)
        del text.ids[length:], text.units[length:]
        if not length:
            text.open = 0
            return
        last = text.units[-1]
        held = length - text.units.index(last)
        closed = length == 1 or held == self.config.max_unit or text.ids[-1] in self._separators
        text.open = 0 if closed else held
        if self.config.layered:  # the mean of the last unit without what was taken back
            for kept in self._kept:
                own = kept[row, :, :, self._centre + length - held : self._centre + length]
                kept[row, :, :, self._centre - 1 - last] = own.mean(2)

    def save(self, row: int) -> Saved:
        """A copy of all that a row holds."""
        text = self._texts[row]
        columns = self._columns(text.begun, len(text.ids))
        return Saved(tuple(text.ids), tuple(text.units), [kept[row, :, :, columns].clone() for kept in self._kept])

    def load(self, row: int, saved: Saved, length: int) -> None:
        """Fill a row with the first `length` tokens of what was saved."""
        text = self._texts[row] = Text(list(saved.ids), list(saved.units))
        self._widen()
        columns = self._columns(text.begun, len(text.ids))
        for kept, own in zip(self._kept, saved.kept, strict=True):
            kept[row, :, :, columns] = own
        self._unit_CS[row, : len(text.ids)] = torch.tensor(text.units, device=self.device)
        self.truncate(row, length)

    def move(self, source: int, target: int) -> None:
        """Copy a row to another slot."""
        text = self._texts[source]
        columns = self._columns(text.begun, len(text.ids))
        for kept in self._kept:
            kept[target, :, :, columns] = kept[source, :, :, columns]
        self._unit_CS[target] = self._unit_CS[source]
        self._texts[target] = Text(list(text.ids), list(text.units), text.open)

    def _columns(self, units: int, tokens: int) -> slice:
        """The columns of that many units and tokens."""
        return slice(self._centre - units if self.config.layered else 0, self._centre + tokens)

    def _widen(self) -> None:
        """Make sure of enough columns on either side of the centre."""
        tokens = max(len(text.ids) for text in self._texts)
        units = _filled(max(self.config.top_units, *(text.begun for text in self._texts))) if self.config.layered else 0
        left, right = self._centre, self._right
        while left < units:
            left *= 2
        while right < tokens:
            right *= 2
        if (left, right) == (self._centre, self._right):
            return
        more = (0, 0, left - self._centre, right - self._right)
        self._kept = [torch.nn.functional.pad(kept, more) for kept in self._kept]
        self._unit_CS = torch.nn.functional.pad(self._unit_CS, (0, right - self._right))
        self._centre, self._right = left, right


def _filled(columns: int) -> int:
    return -(-columns // FILL) * FILL
