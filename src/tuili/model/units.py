"""Semantic units: runs of tokens that end at a separator, and the bookkeeping that attention needs for them.

A document's first token is a unit of its own, so that every query sees at least one unit. Only real tokens are
counted, so units do not depend on padding. `attention.py` says how attention reads them.

Dimensions: B rows, T new tokens, S all tokens so far, U units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

PAD_COUNT_TO_UNITS = 8
"""Tensor dimensions that count units are rounded up to a multiple of this."""


@dataclass(frozen=True)
class Units:
    """The units of all tokens so far, numbered from 0 in each row; padding belongs to unit -1.

    unit_BS: the unit of each token. begun_B: the number of units. open_B: the number of tokens in the unit that is
    still open, 0 if the last token closed its unit.
    """

    unit_BS: Tensor
    begun_B: Tensor
    open_B: Tensor

    @property
    def count(self) -> int:
        """The largest number of units in a row, rounded up so that few tensor shapes occur."""
        return -(-max(1, int(self.begun_B.max())) // PAD_COUNT_TO_UNITS) * PAD_COUNT_TO_UNITS

    def select(self, rows: Tensor) -> Units:
        """The units of some rows, which may repeat."""
        return Units(self.unit_BS[rows], self.begun_B[rows], self.open_B[rows])

    def without_last(self, tokens: int) -> Units:
        """The units without the last `tokens` tokens of each row. No dropped token may start another document."""
        kept_BS, dropped_BS = self.unit_BS[:, :-tokens], self.unit_BS[:, -tokens:]
        last_B1 = F.pad(kept_BS, (1, 0), value=-1).amax(dim=1, keepdim=True)
        # The last kept unit was open if dropped tokens continued it, or if it is still open.
        continued_B = (dropped_BS == last_B1).any(dim=1)
        was_open_B = torch.where((dropped_BS < 0).all(dim=1), self.open_B > 0, continued_B) & (last_B1[:, 0] >= 0)
        return Units(kept_BS, last_B1[:, 0] + 1, torch.where(was_open_B, (kept_BS == last_B1).sum(dim=1), 0))

    def starts_BU(self, count: int) -> Tensor:
        """[B, count + 1]: the column at which each unit starts; S for a unit that does not exist."""
        wanted_U = torch.arange(count + 1, device=self.unit_BS.device)
        wanted_BU = wanted_U.expand(self.unit_BS.shape[0], -1).contiguous()
        return torch.searchsorted(self.unit_BS, wanted_BU)


def unit_ends_of(ids_BT: Tensor, separators: list[int] | None) -> Tensor:
    """[B, T]: True if a token is one of the separators."""
    return torch.isin(ids_BT, torch.tensor(separators or [], device=ids_BT.device))


def segment(ends_BT: Tensor, starts_BT: Tensor, real_BT: Tensor, max_unit: int, past: Units | None) -> Units:
    """Divides T more tokens into units, and returns the units of all tokens so far.

    Args:
        ends_BT: True if a token is a separator and thus ends its unit.
        starts_BT: True if a token starts a document.
        real_BT: False for padding.
        max_unit: a unit also ends after this many tokens.
        past: the units of the earlier tokens, or None.
    """
    B, T = real_BT.shape
    column_T = torch.arange(T, device=real_BT.device)
    open_B = past.open_B if past is not None else column_T.new_zeros(B)
    begun_B = past.begun_B if past is not None else column_T.new_zeros(B)
    hard_BT = (ends_BT | starts_BT) & real_BT
    # Tokens since the last hard end. Before this call's first hard end, the carried open unit counts too.
    last_BT = torch.where(hard_BT, column_T, -1).cummax(dim=1).values
    before_BT = torch.cat([last_BT.new_full((B, 1), -1), last_BT[:, :-1]], dim=1)
    skipped_BT = (~real_BT).cumsum(dim=1)  # left padding does not count
    run_BT = column_T - before_BT - torch.where(before_BT < 0, skipped_BT - open_B[:, None], 0)
    end_BT = real_BT & (hard_BT | (run_BT % max_unit == 0))
    ended_before_BT = torch.cat([(open_B == 0)[:, None], end_BT[:, :-1]], dim=1)
    begins_BT = real_BT & (starts_BT | ended_before_BT)
    unit_BT = torch.where(real_BT, begun_B[:, None] + begins_BT.cumsum(dim=1) - 1, -1)
    open_after_B = torch.where(end_BT[:, -1], 0, _open_length(end_BT, real_BT, open_B))
    if past is not None:
        unit_BS = torch.cat([past.unit_BS, unit_BT], dim=1)
    else:
        unit_BS = unit_BT
    return Units(unit_BS, begun_B + begins_BT.sum(dim=1), open_after_B)


def _open_length(end_BT: Tensor, real_BT: Tensor, open_B: Tensor) -> Tensor:
    """The number of real tokens after a row's last end; a row without an end adds those of the carried open unit."""
    ends_after_BT = end_BT.flip(1).cumsum(1).flip(1)
    trailing_B = ((ends_after_BT == 0) & real_BT).sum(dim=1)
    return torch.where(end_BT.any(dim=1), trailing_B, trailing_B + open_B)


def has_hole(document_BS: Tensor) -> bool:
    """Whether any row has padding (document -1) between real tokens."""
    real_BS = document_BS >= 0
    if bool(real_BS.all()):
        return False
    resumes_BS = real_BS[:, 1:] & ~real_BS[:, :-1] & (real_BS.cumsum(dim=1)[:, :-1] > 0)
    return bool(resumes_BS.any())


def membership(unit_BT: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """[B, U, T]: 1 if a token belongs to a unit, else 0; padding belongs to none."""
    unit_U = torch.arange(count, device=unit_BT.device)
    return (unit_BT[:, None, :] == unit_U[None, :, None]).to(dtype)
