"""The cache layer: keys and values of every token, and for layered attention their sums over each unit.

Each trunk layer has one cache layer, and the reasoning layers share one. The first cache layer also stores the `Units`
of each row, and the last embeddings for the short convolution. The class registers itself for the layer type `tuili`,
so that `DynamicCache(config=…)` builds it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from tuili.errors import InputError
from tuili.model.units import Units, membership

MIN_RECENT_TOKENS = 128
"""The embeddings of at least this many tokens, and of all tokens of the last call, are stored, so that `crop` can
remove any of these tokens."""


class TuiliCacheLayer(DynamicLayer):
    """Keys and values [B, K, S, D] of tokens and, in fp32, their sums [B, K, U, D] over units."""

    _layer_type = "tuili"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.units: Units | None = None
        self.document_BS: Tensor | None = None
        self._recent_BTM: Tensor | None = None
        self._before = 0
        self._sums: tuple[Tensor, Tensor, Tensor] | None = None

    def pool(self, units: Units, new: int) -> tuple[Tensor, Tensor]:
        """Adds the last `new` stored tokens to their units and returns the units' mean keys and values [B, K, U, D]."""
        assert self.keys is not None and self.values is not None
        start = 0 if self._sums is None else self.get_seq_length() - new
        key_BKTD, value_BKTD = self.keys[:, :, start:], self.values[:, :, start:]
        self._sums = add_to_units(self._sums, key_BKTD, value_BKTD, units.unit_BS[:, start:], units.count)
        return unit_means(self._sums, key_BKTD.dtype)

    def extend(self, embeds_BTM: Tensor, before: int) -> Tensor:
        """Stores new embeddings; returns them preceded by the last `before` stored ones, zeros for missing ones."""
        new = embeds_BTM.shape[1]
        if self._recent_BTM is not None:
            embeds_BTM = torch.cat([self._recent_BTM[:, -MIN_RECENT_TOKENS:], embeds_BTM], dim=1)
        self._recent_BTM, self._before = embeds_BTM[:, -max(MIN_RECENT_TOKENS, new + before) :], before
        return F.pad(embeds_BTM, (0, 0, before, 0))[:, -(new + before) :]

    def crop(self, tokens_to_remove: int) -> None:
        """Removes the last `-tokens_to_remove` tokens of each row. The next call of `pool` recomputes the sums.

        Raises `InputError`, and removes nothing, if too few embeddings would be left for the next tokens.
        """
        if self._recent_BTM is not None and tokens_to_remove < 0:
            recent_BTM = self._recent_BTM[:, :tokens_to_remove]
            if recent_BTM.shape[1] < min(self._before, self.get_seq_length() + tokens_to_remove):
                most = max(0, self._recent_BTM.shape[1] - self._before)
                raise InputError(f"{-tokens_to_remove} tokens cannot be taken back: here at most {most}")
            self._recent_BTM = recent_BTM
        super().crop(tokens_to_remove)
        if tokens_to_remove == 0:
            return
        self._sums = None
        if self.document_BS is not None:
            self.document_BS = self.document_BS[:, :tokens_to_remove]
        if self.units is not None:
            self.units = self.units.without_last(-tokens_to_remove)

    def _keep_rows(self, rows: Tensor) -> None:
        if self.units is not None:
            self.units = self.units.select(rows)
        if self.document_BS is not None:
            self.document_BS = self.document_BS[rows]
        if self._recent_BTM is not None:
            self._recent_BTM = self._recent_BTM[rows]
        if self._sums is not None:
            key, value, size = self._sums
            self._sums = (key[rows], value[rows], size[rows])

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        super().reorder_cache(beam_idx)
        self._keep_rows(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        if self.keys is not None:
            self._keep_rows(torch.arange(self.keys.shape[0]).repeat_interleave(repeats))
        super().batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._keep_rows(indices)

    def reset(self) -> None:
        super().reset()
        self.units = self.document_BS = self._recent_BTM = self._sums = None


def add_to_units(
    sums: tuple[Tensor, Tensor, Tensor] | None,
    key_BKTD: Tensor,
    value_BKTD: Tensor,
    unit_BT: Tensor,
    count: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Adds T tokens to each unit's sums of keys and values [B, K, U, D] and to its number of tokens [B, U]."""
    member_BUT = membership(unit_BT, count, torch.float32)
    # With autocast on, as in training, the product itself runs in fewer bits.
    key_BKUD = (member_BUT[:, None] @ key_BKTD.float()).float()
    value_BKUD = (member_BUT[:, None] @ value_BKTD.float()).float()
    size_BU = member_BUT.sum(-1)
    if sums is not None:
        # After rows have left the batch, fewer units may be in use than the sums have room for.
        known = min(count, sums[2].shape[1])
        key_BKUD[:, :, :known] += sums[0][:, :, :known]
        value_BKUD[:, :, :known] += sums[1][:, :, :known]
        size_BU[:, :known] += sums[2][:, :known]
    return key_BKUD, value_BKUD, size_BU


def unit_means(sums: tuple[Tensor, Tensor, Tensor], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean key and value of each unit [B, K, U, D]."""
    per_unit_B1U1 = sums[2].clamp(min=1)[:, None, :, None]
    return (sums[0] / per_unit_B1U1).to(dtype), (sums[1] / per_unit_B1U1).to(dtype)
