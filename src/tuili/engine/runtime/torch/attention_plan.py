"""What the layers of a step share: rotary angles, attention masks, and how new keys and values enter the cache.

Rows of the same slot are read together. The rows of a step are therefore divided into blocks of A slots with T rows
each; several prompts and drafts read at once form several blocks. `kv_cache` defines where tokens are stored;
`lean_model` has the layers that use this.

Dimensions: R rows, A slots of a block, T rows of each, N = A * T, C slots of the cache, U units, S tokens, X = U + S
columns, K key/value heads, G query heads of each, 3 readings (unit means, window, chosen units), L = T * G * 3 queries
of a key/value head, D head size, P positions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuili.engine.runtime.step import HELD, POSITION, SLOT, UNIT
from tuili.engine.runtime.torch.kv_cache import KVCache, round_up

UNIT_MEANS, WINDOW, CHOSEN_UNITS = range(3)
"""The readings of layered attention, in the order of their gates."""
MASKED = float("-inf")


class UnitMeanUpdate(NamedTuple):
    """How the new tokens of a block enter the means of their units.

    For one token per slot: column_A1 is the column of its unit, share the weight of the current mean. For several
    tokens: column_A1 is None, share has a weight for every unit, and weight_AUT the weight of each token in each unit.
    """

    column_A1: Tensor | None
    share: Tensor
    weight_AUT: Tensor | None


class Block(NamedTuple):
    """T rows of each of A slots, and what their queries may read.

    row_N: their indices among the rows of the step; None if they are all rows. slot_A1: their slots; `slots` and
    `columns` select what is read from the cache. centre: the index of the first token in `columns`. column_AT: the
    cache columns of the tokens. bias_A1LX: 0 for the columns that a reading may use, otherwise minus infinity.
    unit_column_AS: the column of each token's unit. top_units: how many of the best-scoring units a query reads token
    by token; 0 if no query sees more units than that.
    """

    row_N: Tensor | None
    size: tuple[int, int]
    slot_A1: Tensor
    slots: slice | Tensor
    columns: slice
    centre: int
    column_AT: Tensor
    bias_A1LX: Tensor
    unit_column_AS: Tensor
    top_units: int
    update: UnitMeanUpdate | None

    def of(self, x: Tensor) -> Tensor:
        """The rows [A, T, …] of a block, from those of the step."""
        rows = x if self.row_N is None else x[self.row_N]
        return rows.view(*self.size, *x.shape[1:])

    def read(self, kv_C2KXD: Tensor) -> tuple[Tensor, Tensor]:
        """The keys and values [A, K, X, D] of a layer that the block reads."""
        kv_A2KXD = kv_C2KXD[self.slots, :, :, self.columns]
        return kv_A2KXD[:, 0], kv_A2KXD[:, 1]

    def write(self, kv_C2KXD: Tensor, new_AT2KD: Tensor) -> None:
        """Store the keys and values of new tokens in a layer of the cache, and update the means of their units."""
        update, column_AT = self.update, self.column_AT
        if update is not None and update.column_A1 is not None:
            mean_A12KD = torch.lerp(new_AT2KD, kv_C2KXD[self.slot_A1, :, :, update.column_A1], update.share)
            column_AT = torch.cat([column_AT, update.column_A1], dim=1)
            new_AT2KD = torch.cat([new_AT2KD, mean_A12KD], dim=1)
        kv_C2KXD[self.slot_A1, :, :, column_AT] = new_AT2KD
        if update is not None and update.weight_AUT is not None:
            sum_A2KUD = update.weight_AUT[:, None, None] @ new_AT2KD.permute(0, 2, 3, 1, 4)
            units = slice(self.columns.start, self.columns.start + self.centre)
            kv_C2KXD[self.slots, :, :, units] = kv_C2KXD[self.slots, :, :, units] * update.share + sum_A2KUD


class AttentionPlan(NamedTuple):
    """The rotary angles [R, 1, D] of the rows of a step, and their blocks."""

    cos_R1D: Tensor
    sin_R1D: Tensor
    blocks: tuple[Block, ...]


def build_plan(cache: KVCache, table_RX: NDArray[np.int32], *, new: bool) -> AttentionPlan:
    """Plan rows of the integer table. `new`: the rows enter the cache; otherwise they are already in it."""
    number_RX = torch.from_numpy(table_RX[:, : HELD + 1].astype(np.int64)).to(cache.device)
    if new:
        cache.unit_CS[number_RX[:, SLOT], number_RX[:, POSITION]] = number_RX[:, UNIT]
    start_B = np.flatnonzero(np.diff(table_RX[:, SLOT], prepend=-1))
    length_B = np.diff(start_B, append=len(table_RX))
    blocks = []
    for length in np.unique(length_B):
        row_AT = start_B[length_B == length][:, None] + np.arange(length)
        blocks.append(_block(cache, table_RX, number_RX, row_AT, new))
    cos_R1D, sin_R1D = (angle_PD[number_RX[:, POSITION], None] for angle_PD in (cache.cos_PD, cache.sin_PD))
    return AttentionPlan(cos_R1D, sin_R1D, tuple(blocks))


def _block(
    cache: KVCache, table_RX: NDArray[np.int32], number_RX: Tensor, row_AT: NDArray[np.intp], new: bool
) -> Block:
    sizes, (A, T) = cache.sizes, row_AT.shape
    row_N = None if row_AT.size == len(table_RX) else torch.from_numpy(row_AT.ravel()).to(cache.device)
    slot_A = table_RX[row_AT[:, 0], SLOT]
    number_ATX = (number_RX if row_N is None else number_RX[row_N]).unflatten(0, (A, T))
    slot_A1, position_AT, unit_AT = number_ATX[:, :1, SLOT], number_ATX[..., POSITION], number_ATX[..., UNIT]
    adjacent = bool((np.diff(slot_A) == 1).all())
    slots = slice(int(slot_A[0]), int(slot_A[-1]) + 1) if adjacent else slot_A1[:, 0]
    tokens, unit_count = (int(table_RX[row_AT, column].max()) + 1 for column in (POSITION, UNIT))
    S, U = round_up(tokens), cache.unit_columns(unit_count)
    unit_AS = cache.unit_CS[slots, :S]
    bias_A1LX = _bias(cache, position_AT, unit_AT, unit_AS, U)
    update = None
    if new and sizes.layered:
        update = _unit_mean_update(cache, unit_AT, number_ATX[:, :1, HELD], U)
    return Block(
        row_N,
        (A, T),
        slot_A1,
        slots,
        slice(cache.centre - U, cache.centre + S),
        U,
        position_AT + cache.centre,
        bias_A1LX,
        (U - 1 - unit_AS).clamp(min=0),
        sizes.top_units if sizes.layered and unit_count - 1 > sizes.top_units else 0,
        update,
    )


def _bias(cache: KVCache, position_AT: Tensor, unit_AT: Tensor, unit_AS: Tensor, U: int) -> Tensor:
    """The bias [A, 1, L, X] of the tokens' queries, before the choice of units."""
    sizes, (A, T), S = cache.sizes, position_AT.shape, unit_AS.shape[1]
    token_S, position_AT1 = torch.arange(S, device=cache.device), position_AT[..., None]
    causal_ATS = token_S <= position_AT1
    bias_ATRX = cache.cos_PD.new_full((A, T, 3 if sizes.layered else 1, U + S), MASKED)
    bias_ATRX[..., U:].masked_fill_(causal_ATS[:, :, None], 0.0)
    if sizes.layered:
        unit_U, unit_AT1, unit_A1S = _unit_U(U, cache.device), unit_AT[..., None], unit_AS[:, None]
        bias_ATRX[:, :, UNIT_MEANS, :U].masked_fill_((unit_U < unit_AT1) | (unit_U == 0), 0.0)
        bias_ATRX[:, :, UNIT_MEANS, U:] = MASKED
        bias_ATRX[:, :, WINDOW, U:].masked_fill_((token_S <= position_AT1 - sizes.window) & (token_S > 0), MASKED)
        bias_ATRX[:, :, CHOSEN_UNITS, U:].masked_fill_((unit_A1S >= unit_AT1) & (unit_A1S > 0), MASKED)
    heads = sizes.num_attention_heads // sizes.num_key_value_heads
    return bias_ATRX[:, :, None].expand(-1, -1, heads, -1, -1).reshape(A, 1, -1, U + S)


def select_units(block: Block, query_AKTGD: Tensor, key_AKXD: Tensor) -> Tensor:
    """The bias [A, K, L, X] with which the last reading sees only the tokens of the `top_units` best units.

    The queries of one key/value head choose together: a unit's score is the sum of their products with its mean key.
    """
    A, K, T, G, _ = query_AKTGD.shape
    U = block.centre
    bias_AKTGRX = block.bias_A1LX.view(A, 1, T, G, 3, -1).repeat(1, K, 1, 1, 1, 1)
    score_AKTU = query_AKTGD.sum(3).float() @ key_AKXD[:, :, :U].float().transpose(-1, -2)
    score_AKTU = score_AKTU + bias_AKTGRX[:, :, :, 0, UNIT_MEANS, :U]
    least_AKT1 = score_AKTU.topk(block.top_units, dim=-1).values[..., -1:]
    chosen_AKTU = torch.where(score_AKTU >= least_AKT1, 0.0, MASKED).to(bias_AKTGRX.dtype)
    token_AKTS = chosen_AKTU.gather(-1, block.unit_column_AS[:, None, None].expand(-1, K, T, -1))
    bias_AKTGRX[..., CHOSEN_UNITS, U:] += token_AKTS[:, :, :, None]
    return bias_AKTGRX.view(A, K, T * G * 3, -1)


def _unit_mean_update(cache: KVCache, unit_AT: Tensor, held_A1: Tensor, U: int) -> UnitMeanUpdate:
    """How new tokens enter the means of their units. The mean of a new unit starts from nothing."""
    dtype = cache.cos_PD.dtype
    if unit_AT.shape[1] == 1:
        share_A1 = (held_A1 / (held_A1 + 1)).to(dtype)
        return UnitMeanUpdate(cache.centre - 1 - unit_AT, share_A1[..., None, None, None], None)
    unit_U = _unit_U(U, cache.device)
    member_AUT = (unit_AT[:, None] == unit_U[:, None]).to(dtype)
    size_AU, held_AU = member_AUT.sum(-1), held_A1 * (unit_AT[:, :1] == unit_U)
    total_AU = size_AU + held_AU
    share_AU = torch.where(size_AU > 0, held_AU / total_AU, 1.0).to(dtype)
    return UnitMeanUpdate(None, share_AU[:, None, None, :, None], member_AUT / total_AU.clamp(min=1)[..., None])


def _unit_U(count: int, device: torch.device) -> Tensor:
    """The unit in each column to the left of the centre: units are stored from the centre outwards."""
    return torch.arange(count - 1, -1, -1, device=device)
