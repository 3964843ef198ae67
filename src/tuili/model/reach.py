"""What the queries of a training step may read: columns instead of masks, for the native library and flex attention.

It is equivalent to `View` in `attention.py`, except that padding and fillers read nothing.

Dimensions: B rows, T tokens, S tokens that may be read, Q queries.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.model.units import Units


@dataclass(frozen=True)
class Reach:
    """What each query may read. All tensors are int32.

    column_BQ: the token of each query. order_BQ: the queries sorted by their columns, then -1 - query for each that
    reads nothing. start_BS: the first token of each token's document. unit_BS: each token's unit, -1 for padding.
    """

    column_BQ: Tensor
    order_BQ: Tensor
    start_BS: Tensor
    unit_BS: Tensor
    window: int
    top_units: int

    @classmethod
    def of(cls, document_BS: Tensor, units: Units, *, window: int, top_units: int) -> Reach:
        """The reach of every token of packed documents. Padding, which is document -1, is at the ends of a row."""
        column_BS = (
            torch.arange(document_BS.shape[1], dtype=torch.int32, device=document_BS.device)
            .expand_as(document_BS)
            .contiguous()
        )
        begins_BS = F.pad(document_BS[:, 1:] != document_BS[:, :-1], (1, 0), value=True)
        start_BS = torch.where(begins_BS, column_BS, 0).cummax(dim=1).values
        order_BS = _order(column_BS, document_BS >= 0)
        return cls(column_BS, order_BS, start_BS, units.unit_BS.int(), window, top_units)

    def at(self, index_BQ: Tensor, real_BQ: Tensor | None = None) -> Reach:
        """The reach of some of the queries, given by their indices. A query that is not real reads nothing."""
        return self._of(self.column_BQ.gather(1, index_BQ), real_BQ)

    def first(self, queries: int, real_BQ: Tensor | None = None) -> Reach:
        """The reach of the first `queries` queries of each row."""
        return self._of(self.column_BQ[:, :queries].contiguous(), real_BQ)

    def rows(self, rows: Tensor) -> Reach:
        """The reach of the queries of some rows of the batch."""
        names = ("column_BQ", "order_BQ", "start_BS", "unit_BS")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def _of(self, column_BQ: Tensor, real_BQ: Tensor | None) -> Reach:
        reads_BQ = self.unit_BS.gather(1, column_BQ.long()) >= 0
        if real_BQ is not None:
            reads_BQ = reads_BQ & real_BQ
        return replace(self, column_BQ=column_BQ, order_BQ=_order(column_BQ, reads_BQ))


def _order(column_BQ: Tensor, reads_BQ: Tensor) -> Tensor:
    last = torch.iinfo(torch.int32).max
    column = torch.where(reads_BQ, column_BQ, last).sort(dim=1, stable=True)
    return torch.where(column.values == last, -1 - column.indices, column.indices).int()
