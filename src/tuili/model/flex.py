"""Layered attention for training by torch's flex attention: the form for GPUs, whose memory does not grow with T².

Each reading is one call, whose mask is a function of each query and key, so no score is stored. Its slow twins are
`attend` and `attend_joint` in `attention.py`; `reach.py` says what each query may read. Compiled, flex attention is one
kernel each way; torch differentiates it only on GPUs.

Dimensions: B rows, Q queries, S tokens, U units, N blocks of keys, X keys of one reading, H query heads, K key/value
heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from tuili.model.attention import KeyValues, blend_readings, unit_scores
from tuili.model.kernels import output_dtype
from tuili.model.reach import Reach

Mask = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Whether a key is read, given the numbers of row, query head, query and key."""

BLOCK = 128
"""The number of queries or keys that a kernel processes or skips as one block; torch's default."""

MIN_HEAD_SIZE = 16
"""The smallest head size of flex attention's kernels on a GPU."""


@dataclass(frozen=True)
class Span:
    """The keys that each query reads: from `low_BQ` to `high_BQ`, and `also_BQ`. All are -1 if it reads none."""

    low_BQ: Tensor
    high_BQ: Tensor
    also_BQ: Tensor

    def mask(self) -> Mask:
        """The mask of these keys."""
        low_BQ, high_BQ, also_BQ = self.low_BQ, self.high_BQ, self.also_BQ

        def reads(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return ((key >= low_BQ[row, query]) & (key <= high_BQ[row, query])) | (key == also_BQ[row, query])

        return reads

    def blocks(self, keys: int) -> BlockMask:
        """The mask over `keys` keys, with the blocks of keys that any query of a block reads."""
        B, Q = self.low_BQ.shape
        ends = (self.low_BQ, self.high_BQ, self.also_BQ)
        padding = _blocks(Q) * BLOCK - Q
        low_BQ1, high_BQ1, also_BQ1 = (F.pad(x_BQ, (0, padding), value=-1)[..., None] // BLOCK for x_BQ in ends)
        block_N = torch.arange(_blocks(keys), device=self.low_BQ.device)
        reads_BQN = ((block_N >= low_BQ1) & (block_N <= high_BQ1)) | (block_N == also_BQ1)
        reads_B1PN = reads_BQN.view(B, 1, -1, BLOCK, len(block_N)).any(dim=3).int()
        return BlockMask.from_kv_blocks(
            reads_B1PN.sum(-1, dtype=torch.int32),
            reads_B1PN.argsort(dim=-1, descending=True, stable=True).int(),
            BLOCK_SIZE=BLOCK,
            mask_mod=self.mask(),
            seq_lengths=(Q, keys),
        )


def _blocks(length: int) -> int:
    """The number of blocks, at least 2: the compiler would treat 1 as a special case, and few cases are wanted."""
    return max(2, -(-length // BLOCK))


@dataclass(frozen=True)
class FlexView:
    """What the queries of a frame may read, sorted by their columns, so that few blocks of keys are read.

    units: the number of units, as a tensor dimension.
    """

    reach: Reach
    units: int

    def at(self, index_BQ: Tensor, real_BQ: Tensor | None = None) -> FlexView:
        """The view of some of the queries, given by their indices. A query that is not real reads nothing."""
        return replace(self, reach=self.reach.at(index_BQ, real_BQ))

    def first(self, queries: int, real_BQ: Tensor | None = None) -> FlexView:
        """The view of the first `queries` queries of each row."""
        return replace(self, reach=self.reach.first(queries, real_BQ))

    def rows(self, rows: Tensor) -> FlexView:
        """The view of the queries of some rows of the batch."""
        return replace(self, reach=self.reach.rows(rows))

    @cached_property
    def place_BQ(self) -> Tensor:
        """The index of each sorted query among the unsorted ones; queries that read nothing come last."""
        order_BQ = self.reach.order_BQ.long()
        return torch.where(order_BQ < 0, -1 - order_BQ, order_BQ)

    @cached_property
    def back_BQ(self) -> Tensor:
        """The index of each query among the sorted ones."""
        return self.place_BQ.argsort(dim=1)

    def _sorted(self, value_BS: Tensor) -> Tensor:
        """The value at the column of each sorted query; -1 for a query that reads nothing."""
        column_BQ = self.reach.column_BQ.long().gather(1, self.place_BQ)
        return value_BS.gather(1, column_BQ).masked_fill(self.reach.order_BQ < 0, -1)

    @cached_property
    def _document(self) -> Span:
        """Tokens of the query's document up to the query."""
        start_BS = self.reach.start_BS
        column_BS = torch.arange(start_BS.shape[1], device=start_BS.device, dtype=torch.int32).expand_as(start_BS)
        start_BQ = self._sorted(start_BS)
        return Span(start_BQ, self._sorted(column_BS), start_BQ)

    @cached_property
    def _units(self) -> Span:
        """Closed units of the query's document, and always its first unit."""
        unit_BS = self.reach.unit_BS
        first_BQ = self._sorted(unit_BS.gather(1, self.reach.start_BS.long()))
        return Span(first_BQ, (self._sorted(unit_BS) - 1).clamp(min=-1), first_BQ)

    @cached_property
    def pooled(self) -> BlockMask:
        """The mask over units: those that a query may read."""
        return self._units.blocks(self.units)

    @cached_property
    def local(self) -> BlockMask:
        """The mask over tokens: those of the window, and the document's first token."""
        start_BQ, column_BQ = self._document.low_BQ, self._document.high_BQ
        near_BQ = torch.maximum(start_BQ, column_BQ - self.reach.window + 1)
        return Span(near_BQ, column_BQ, start_BQ).blocks(self.reach.unit_BS.shape[1])

    @cached_property
    def _causal(self) -> BlockMask:
        return self._document.blocks(self.reach.unit_BS.shape[1])

    def selected(self, chosen_BKQU: Tensor, heads: int) -> BlockMask:
        """The mask over tokens: those of the units chosen for each sorted query, in any block of its document."""
        causal, unit_BS = self._causal, self.reach.unit_BS.clamp(min=0)
        may_read = causal.mask_mod
        # A tensor, because a number in a mask may become a variable size, which not every kernel accepts.
        group_H = torch.arange(heads, device=unit_BS.device) // (heads // chosen_BKQU.shape[1])

        def reads(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            return may_read(row, head, query, key) & chosen_BKQU[row, group_H[head], query, unit_BS[row, key]]

        blocks = (
            causal.kv_num_blocks,
            causal.kv_indices,
            None,
            None,
            causal.q_num_blocks,
            causal.q_indices,
            None,
            None,
        )
        return BlockMask(causal.seq_lengths, *blocks, BLOCK_SIZE=causal.BLOCK_SIZE, mask_mod=reads)

    @torch.no_grad()
    def choose(self, query_BHQD: Tensor, unit_key_BKUD: Tensor) -> Tensor:
        """The mask [B, K, Q, U] of the `top_units` best units that each sorted query may read, or of all if fewer."""
        unit_U = torch.arange(self.units, device=query_BHQD.device)
        row_B11 = torch.arange(len(query_BHQD), device=query_BHQD.device)[:, None, None]
        place_Q1 = torch.arange(query_BHQD.shape[2], device=query_BHQD.device)[:, None]
        visible_BQU = self._units.mask()(row_B11, row_B11, place_Q1, unit_U)
        with torch.autocast(query_BHQD.device.type, enabled=False):
            score_BKQU = unit_scores(query_BHQD, unit_key_BKUD, visible_BQU)
        best = score_BKQU.topk(min(self.reach.top_units, self.units), dim=-1)
        chosen_BKQU = torch.zeros_like(score_BKQU, dtype=torch.bool)
        return chosen_BKQU.scatter_(-1, best.indices, best.values > float("-inf"))


def takes_flex(embeds_BTM: Tensor, head_size: int) -> bool:
    """Whether `attend_flex` works for tokens with these embeddings: in fp32, bf16 or fp16, with large enough heads."""
    return head_size >= MIN_HEAD_SIZE and output_dtype(embeds_BTM) in (torch.float32, torch.bfloat16, torch.float16)


def attend_flex(
    query_BHQD: Tensor,
    kv: KeyValues,
    gate_BQH3: Tensor,
    view: FlexView,
    read: Callable[..., Tensor],
) -> Tensor:
    """What each query reads [B, H, Q, D]; zeros if it reads nothing. `read` is `read_all`, compiled or not."""
    assert kv.unit_key_BKUD is not None and kv.unit_value_BKUD is not None
    query_BHQD = _reordered(query_BHQD, view.place_BQ)
    chosen_BKQU = view.choose(query_BHQD, kv.unit_key_BKUD)
    gate_BQH3 = _reordered(gate_BQH3.transpose(1, 2), view.place_BQ).transpose(1, 2)
    tokens, units = (kv.key_BKSD, kv.value_BKSD), (kv.unit_key_BKUD, kv.unit_value_BKUD)
    masks = (view.pooled, view.local, view.selected(chosen_BKQU, query_BHQD.shape[1]))
    return _reordered(read(query_BHQD, *tokens, *units, gate_BQH3, *masks), view.back_BQ)


def _reordered(x_BHQD: Tensor, place_BQ: Tensor) -> Tensor:
    return x_BHQD.gather(2, place_BQ[:, None, :, None].expand_as(x_BHQD))


def read_all(
    query_BHQD: Tensor,
    key_BKSD: Tensor,
    value_BKSD: Tensor,
    unit_key_BKUD: Tensor,
    unit_value_BKUD: Tensor,
    gate_BQH3: Tensor,
    pooled: BlockMask,
    local: BlockMask,
    selected: BlockMask,
) -> Tensor:
    """The three readings, blended. They are compiled as one function, so that few graphs serve all layers."""
    return blend_readings(
        gate_BQH3,
        flex_attention(query_BHQD, unit_key_BKUD, unit_value_BKUD, block_mask=pooled, enable_gqa=True),
        flex_attention(query_BHQD, key_BKSD, value_BKSD, block_mask=local, enable_gqa=True),
        flex_attention(query_BHQD, key_BKSD, value_BKSD, block_mask=selected, enable_gqa=True),
    )
