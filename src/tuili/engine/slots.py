"""The memory of the rows that are being read and written: ids, keys, values and unit means, each in a fixed place.

A row is a slot. Tokens are only ever added at its end or taken back from there, so nothing is padded, and nothing is
copied from step to step, but what the rows read that go deeper than others. The keys and values of a row stand in one
run of columns: its tokens to the right of the centre, the means of its units to the left, so that a query reads both
with one product. What is computed from them is left to `network`, which request has which slot to the scheduler.

Dimensions: C slots, A rows of a step, T new tokens of each, U units, S tokens, X = U + S columns, R readings, K
key/value heads, D head size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tuili.model import TuiliConfig
from tuili.model.layers import rotary
from tuili.model.units import Units, membership, segment

TOKENS, UNITS = 128, 32
"""Columns on either side of the centre to begin with; they are doubled as rows need more."""


@dataclass(frozen=True)
class Step:
    """What all layers share about T new tokens of A rows. Made by `Slots.advance`.

    cos_AT1D, sin_AT1D: rotary angles, the sines with the sign of the half that they turn. masks_RA11TX: 1 for columns
    that a reading may use, else 0; the readings are units, window and tokens of units, or just all tokens.
    top: where some query sees more units than this, the last reading is to be narrowed to this many of the best.
    """

    rows: slice
    column_AT: Tensor
    cos_AT1D: Tensor
    sin_AT1D: Tensor
    masks_RA11TX: Tensor
    any_A11TX: Tensor
    units: int
    tokens: int
    top: int | None = None
    unit_AT: Tensor | None = None
    unit_AS: Tensor | None = None
    held_A: Tensor | None = None
    """Tokens that the unit of a row's first new token held before it."""

    def last(self) -> Step:
        """The same for the last token of each row alone."""
        return replace(
            self,
            column_AT=self.column_AT[:, -1:],
            cos_AT1D=self.cos_AT1D[:, -1:],
            sin_AT1D=self.sin_AT1D[:, -1:],
            masks_RA11TX=self.masks_RA11TX[..., -1:, :],
            any_A11TX=self.any_A11TX[..., -1:, :],
        )

    def some(self, chosen_N: Tensor) -> Step:
        """The same for some of the rows, by their number among these. Only `KeyValues.some` fits it."""
        return replace(
            self,
            column_AT=self.column_AT[chosen_N],
            cos_AT1D=self.cos_AT1D[chosen_N],
            sin_AT1D=self.sin_AT1D[chosen_N],
            masks_RA11TX=self.masks_RA11TX[:, chosen_N],
            any_A11TX=self.any_A11TX[chosen_N],
            unit_AS=None if self.unit_AS is None else self.unit_AS[chosen_N],
        )


@dataclass(frozen=True)
class KeyValues:
    """The keys and values [A, K, X, D] that the queries of a step read."""

    key_AKXD: Tensor
    value_AKXD: Tensor

    def some(self, chosen_N: Tensor) -> KeyValues:
        """The same for some of the rows."""
        return KeyValues(self.key_AKXD[chosen_N], self.value_AKXD[chosen_N])


@dataclass(frozen=True)
class Saved:
    """A copy of a row: its ids, their units, the number of these, and for each layer keys and values [2, K, X, D]."""

    ids: tuple[int, ...]
    unit_S: Tensor
    begun: int
    kept: list[Tensor]

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return sum(kept.nbytes for kept in self.kept) + 2 * self.unit_S.nbytes


class Slots:
    """Places for `count` rows of one model, all empty at first."""

    def __init__(self, config: TuiliConfig, count: int, dtype: torch.dtype, device: torch.device) -> None:
        self.config, self.count, self.device, self.dtype = config, count, device, dtype
        heads, size = config.num_key_value_heads, config.head_dim
        self._centre, self._right = UNITS if config.layered else 0, TOKENS
        width = self._centre + self._right
        self._kept = [
            torch.zeros(2, count, heads, width, size, dtype=dtype, device=device)
            for _ in range(config.trunk_layers + 1)
        ]
        self._id_CS = torch.zeros(count, self._right, dtype=torch.long, device=device)
        self._unit_CS = torch.zeros_like(self._id_CS)
        self.length = [0] * count
        """Tokens in each row."""
        self._length_C, self._begun_C, self._open_C = torch.zeros(3, count, dtype=torch.long, device=device)
        self._separates_V = torch.zeros(config.vocab_size, dtype=torch.bool, device=device)
        self._separates_V[config.separator_token_ids or []] = True
        positions_1S = torch.arange(config.max_position_embeddings, device=device)[None]
        cos_1SD, sin_1SD = rotary(positions_1S, size, config.rope_theta)
        self._cos_SD, self._sin_SD = cos_1SD[0].to(dtype), sin_1SD[0].to(dtype)
        self._sin_SD[:, : size // 2] *= -1

    def advance(self, rows: slice, id_AT: Tensor) -> Step:
        """Make place for T more tokens of each of these rows, and say what their queries may read."""
        T = id_AT.shape[1]
        column_AT = self._length_C[rows, None] + torch.arange(T, device=id_AT.device)
        self._widen(max(self.length[rows]) + T, 0)
        self._id_CS[rows].scatter_(1, column_AT, id_AT)
        held_A = None
        if self.config.layered:
            held_A = self._open_C[rows].clone()
            unit_AT = self._segment(rows, id_AT)
            self._widen(0, int(self._begun_C[rows].max()))
            self._unit_CS[rows].scatter_(1, column_AT, unit_AT)
        self._length_C[rows] += T
        for row in range(rows.start, rows.stop):
            self.length[row] += T
        return replace(self.review(rows, T), held_A=held_A)

    def review(self, rows: slice, last: int) -> Step:
        """What the queries of the last tokens of these rows may read, once their keys are written."""
        column_AT = self._length_C[rows, None] + torch.arange(-last, 0, device=self._length_C.device)
        tokens, units, top, unit_AT, unit_AS = max(self.length[rows]), 0, self.config.top_units, None, None
        if self.config.layered:
            units = int(self._begun_C[rows].max())
            unit_AS = self._unit_CS[rows, :tokens]
            unit_AT = unit_AS.gather(1, column_AT)
        masks_RA11TX = self._masks(column_AT, units, tokens, unit_AT, unit_AS)
        return Step(
            rows,
            column_AT,
            self._cos_SD[column_AT][:, :, None],
            self._sin_SD[column_AT][:, :, None],
            masks_RA11TX,
            masks_RA11TX.amax(0),
            units,
            tokens,
            top if units - 1 > top else None,
            unit_AT,
            unit_AS,
        )

    def write(self, layer: int, step: Step, key_ATKD: Tensor, value_ATKD: Tensor) -> KeyValues:
        """Store one layer's keys and values of the new tokens, and give all that the step's queries may read."""
        kept_2AKXD = self._kept[layer][:, step.rows]
        new_AT2KD = torch.stack((key_ATKD, value_ATKD), dim=2)
        row_A1 = torch.arange(len(new_AT2KD), device=new_AT2KD.device)[:, None]
        kept_2AKXD[:, row_A1, :, self._centre + step.column_AT] = new_AT2KD
        if step.unit_AT is not None:
            assert step.held_A is not None
            self._pool(kept_2AKXD, row_A1, step.unit_AT, step.held_A, new_AT2KD)
        return self.read(layer, step)

    def read(self, layer: int, step: Step) -> KeyValues:
        """One layer's keys and values for a step's queries."""
        columns = slice(self._centre - step.units, self._centre + step.tokens)
        return KeyValues(*self._kept[layer][:, step.rows, :, columns])

    def clear(self, row: int) -> None:
        """Make a row empty."""
        self.truncate(row, 0)

    def truncate(self, row: int, length: int) -> None:
        """Take back all tokens of a row but the first `length`."""
        assert 0 <= length <= self.length[row]
        self.length[row] = length
        self._length_C[row] = length
        if not self.config.layered:
            return
        unit_S = self._unit_CS[row, :length]
        last = int(unit_S[-1]) if length else -1
        held = int((unit_S == last).sum())
        closed = length <= 1 or held == self.config.max_unit or bool(self._separates_V[self._id_CS[row, length - 1]])
        self._begun_C[row], self._open_C[row] = last + 1, 0 if closed else held
        if held:  # the mean of the last unit without what was taken back
            for kept in self._kept:
                own = kept[:, row, :, self._centre + length - held : self._centre + length]
                kept[:, row, :, self._centre - 1 - last] = own.mean(2)

    def save(self, row: int) -> Saved:
        """A copy of all that a row holds."""
        length, begun = self.length[row], int(self._begun_C[row])
        columns = slice(self._centre - begun, self._centre + length)
        return Saved(
            tuple(self._id_CS[row, :length].tolist()),
            self._unit_CS[row, :length].clone(),
            begun,
            [kept[:, row, :, columns].clone() for kept in self._kept],
        )

    def load(self, row: int, saved: Saved, length: int) -> None:
        """Fill a row with the first `length` tokens of what was saved."""
        whole = len(saved.ids)
        self._widen(whole, saved.begun)
        columns = slice(self._centre - saved.begun, self._centre + whole)
        for kept, own in zip(self._kept, saved.kept, strict=True):
            kept[:, row, :, columns] = own
        self._id_CS[row, :whole] = torch.tensor(saved.ids, device=self._id_CS.device)
        self._unit_CS[row, :whole] = saved.unit_S
        self.length[row] = whole
        self.truncate(row, length)

    def move(self, source: int, target: int) -> None:
        """Copy a row to another slot."""
        length, begun = self.length[source], int(self._begun_C[source])
        for kept in self._kept:
            kept[:, target, :, self._centre - begun : self._centre + length] = kept[
                :, source, :, self._centre - begun : self._centre + length
            ]
        for x in (self._id_CS, self._unit_CS, self._length_C, self._begun_C, self._open_C):
            x[target] = x[source]
        self.length[target] = length

    def ids(self, rows: slice, column_ATW: Tensor) -> Tensor:
        """The ids in some columns of these rows."""
        return self._id_CS[rows].gather(1, column_ATW.flatten(1)).view_as(column_ATW)

    def _segment(self, rows: slice, id_AT: Tensor) -> Tensor:
        """The unit of each new token; brings the count of units and the size of the open one up to date."""
        end_AT = self._separates_V[id_AT]
        begun_A, open_A = self._begun_C[rows], self._open_C[rows]
        if id_AT.shape[1] > 1:
            start_AT = torch.zeros_like(end_AT)
            start_AT[:, 0] = self._length_C[rows] == 0
            past = Units(id_AT[:, :0], begun_A, open_A)
            found = segment(end_AT, start_AT, torch.ones_like(end_AT), self.config.max_unit, past)
            self._begun_C[rows], self._open_C[rows] = found.begun_B, found.open_B
            return found.unit_BS
        begun_A += open_A == 0
        open_A += 1
        open_A *= ~(end_AT[:, 0] | (open_A == self.config.max_unit) | (self._length_C[rows] == 0))
        unit_A1: Tensor = begun_A[:, None] - 1
        return unit_A1

    def _masks(
        self,
        column_AT: Tensor,
        units: int,
        tokens: int,
        unit_AT: Tensor | None,
        unit_AS: Tensor | None,
    ) -> Tensor:
        """The masks of the readings; see `Step`."""
        token_S = torch.arange(tokens, device=column_AT.device)
        position_AT1 = column_AT[..., None]
        causal_ATS = token_S <= position_AT1
        A, T, _ = causal_ATS.shape
        if unit_AT is None or unit_AS is None:
            return causal_ATS[None, :, None, None].to(self.dtype)
        masks_RATX = column_AT.new_zeros(3, A, T, units + tokens, dtype=self.dtype)
        unit_U, own_AT1 = torch.arange(units - 1, -1, -1, device=column_AT.device), unit_AT[..., None]
        masks_RATX[0, ..., :units] = (unit_U < own_AT1) | (unit_U == 0)
        near_ATS = (token_S > position_AT1 - self.config.window) | (token_S == 0)
        masks_RATX[1, ..., units:] = causal_ATS & near_ATS
        unit_A1S = unit_AS[:, None]
        masks_RATX[2, ..., units:] = causal_ATS & ((unit_A1S < own_AT1) | (unit_A1S == 0))
        return masks_RATX[:, :, None, None]

    def _pool(self, kept_2AKXD: Tensor, row_A1: Tensor, unit_AT: Tensor, held_A: Tensor, new_AT2KD: Tensor) -> None:
        """Let the means of the units take in new tokens. A unit that begins takes nothing from what stood there."""
        first_A1 = unit_AT[:, :1]
        if unit_AT.shape[1] == 1:
            sum_AN2KD, size_AN = new_AT2KD, torch.ones_like(unit_AT)
        else:
            own_AT = unit_AT - first_A1
            member_ANT = membership(own_AT, int(own_AT.max()) + 1, new_AT2KD.dtype)
            sum_AN2KD = (member_ANT @ new_AT2KD.flatten(2)).unflatten(2, new_AT2KD.shape[2:])
            size_AN = member_ANT.sum(-1).long()
        column_AN = self._centre - 1 - first_A1 - torch.arange(size_AN.shape[1], device=first_A1.device)
        held_AN = torch.zeros_like(size_AN)
        held_AN[:, 0] = held_A
        share_AN = (held_AN / (held_AN + size_AN).clamp(min=1)).to(sum_AN2KD.dtype)
        part_AN = 1 / (held_AN + size_AN).clamp(min=1).to(sum_AN2KD.dtype)
        old_AN2KD = kept_2AKXD[:, row_A1, :, column_AN]
        kept_2AKXD[:, row_A1, :, column_AN] = (
            old_AN2KD * share_AN[..., None, None, None] + sum_AN2KD * part_AN[..., None, None, None]
        )

    def _widen(self, tokens: int, units: int) -> None:
        """Make sure of that many columns on either side of the centre."""
        left, right = self._centre, self._right
        while left < units:
            left *= 2
        while right < tokens:
            right *= 2
        if (left, right) == (self._centre, self._right):
            return
        more = (0, 0, left - self._centre, right - self._right)
        self._kept = [torch.nn.functional.pad(kept, more) for kept in self._kept]
        self._id_CS, self._unit_CS = (
            torch.nn.functional.pad(x, (0, right - self._right)) for x in (self._id_CS, self._unit_CS)
        )
        self._centre, self._right = left, right
