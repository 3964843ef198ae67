"""Layered attention: each head blends three readings of the past, with gates computed from the query.

(a) one pooled key and value for each closed semantic unit, (b) the tokens of a window and the document's first token,
(c) all tokens of the best-scoring units. Units come from `units.py`, stored keys from `cache.py`. The design follows
Native Sparse Attention (Yuan et al. 2025, arXiv 2502.11089) with units of varying length instead of blocks.

Dimensions: B rows, T queries, S stored tokens, U units, H query heads, K key/value heads, G = H / K, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tuili.model.units import Units

Blend = Callable[..., tuple[Tensor, Tensor]]

MIN_SUM = 1e-30
"""The lower bound for a sum of exponentials, so that a vanishing sum gives weights of 0 instead of NaN."""


@dataclass(frozen=True)
class KeyValues:
    """One key/value set: the keys and values of every token, and for layered attention the means of each unit."""

    key_BKSD: Tensor
    value_BKSD: Tensor
    unit_key_BKUD: Tensor | None = None
    unit_value_BKUD: Tensor | None = None

    def rows(self, rows: Tensor) -> KeyValues:
        """The keys and values of some rows of the batch."""
        return KeyValues(
            self.key_BKSD[rows],
            self.value_BKSD[rows],
            _rows(self.unit_key_BKUD, rows),
            _rows(self.unit_value_BKUD, rows),
        )


@dataclass(frozen=True)
class View:
    """The stored tokens and units that each query may read. Built once for all layers of a forward pass."""

    causal_BTS: Tensor
    """Tokens of the query's document up to the query. A padding query reads everything, so that its output stays
    finite."""
    window_BTS: Tensor | None = None
    units_BTU: Tensor | None = None
    unit_BS: Tensor | None = None
    window: int = 0
    top_units: int = 0
    max_unit: int = 0
    reads_all_units: bool = True
    """True if no query sees more than `top_units` units, so that none has to be left out."""

    def at(self, index_BQ: Tensor) -> View:
        """The view of some of the queries, given by their columns."""

        def pick(mask_BTX: Tensor) -> Tensor:
            return mask_BTX.gather(1, index_BQ[..., None].expand(-1, -1, mask_BTX.shape[2]))

        return self._each(pick)

    def first(self, queries: int) -> View:
        """The view of the first `queries` queries of each row."""
        return self._each(lambda mask_BTX: mask_BTX[:, :queries])

    def rows(self, rows: Tensor) -> View:
        """The view of the queries of some rows of the batch."""
        return replace(self._each(lambda mask_BTX: mask_BTX[rows]), unit_BS=_rows(self.unit_BS, rows))

    def _each(self, change: Callable[[Tensor], Tensor]) -> View:
        return replace(
            self,
            causal_BTS=change(self.causal_BTS),
            window_BTS=None if self.window_BTS is None else change(self.window_BTS),
            units_BTU=None if self.units_BTU is None else change(self.units_BTU),
        )


def _rows(x: Tensor | None, rows: Tensor) -> Tensor | None:
    return None if x is None else x[rows]


def dense_view(document_BT: Tensor, document_BS: Tensor) -> View:
    """Plain causal attention within each document. Padding is document -1; the queries are the last T of S tokens."""
    T, S = document_BT.shape[1], document_BS.shape[1]
    column_S = torch.arange(S, device=document_BS.device)
    before_TS = column_S[None, :] <= column_S[S - T :, None]
    same_BTS = (document_BT[:, :, None] == document_BS[:, None, :]) & before_TS
    return View(same_BTS | (document_BT < 0)[:, :, None])


def layered_view(
    document_BT: Tensor, document_BS: Tensor, units: Units, *, window: int, top_units: int, max_unit: int
) -> View:
    """What the last T of S tokens may read in layered attention."""
    causal_BTS = dense_view(document_BT, document_BS).causal_BTS
    T, S = document_BT.shape[1], document_BS.shape[1]
    column_S = torch.arange(S, device=document_BS.device)
    near_TS = column_S[S - T :, None] - column_S[None, :] < window
    is_first_BS = torch.cat(
        [document_BS[:, :1] >= 0, (document_BS[:, 1:] != document_BS[:, :-1]) & (document_BS[:, 1:] >= 0)],
        dim=1,
    )
    padding_BT1 = (document_BT < 0)[:, :, None]
    window_BTS = causal_BTS & (near_TS | is_first_BS[:, None, :] | padding_BT1)

    unit_U = torch.arange(units.count, device=document_BS.device)
    query_unit_BT1 = units.unit_BS[:, S - T :, None]
    first_BT1 = torch.where(is_first_BS, units.unit_BS, 0).cummax(dim=1).values[:, S - T :, None]
    visible_BTU = ((unit_U >= first_BT1) & (unit_U < query_unit_BT1)) | (unit_U == first_BT1)
    reads_all_units = int(visible_BTU.sum(-1).max()) <= top_units
    return View(causal_BTS, window_BTS, visible_BTU, units.unit_BS, window, top_units, max_unit, reads_all_units)


def attend(query_BHTD: Tensor, kv: KeyValues, gate_BTH3: Tensor | None, view: View) -> Tensor:
    """Masked attention over all keys: the slow form, for any number of queries.

    Returns [B, H, T, D]. Without gates, it is plain attention over `view.causal_BTS`.
    """
    if gate_BTH3 is None:
        return _read(query_BHTD, kv.key_BKSD, kv.value_BKSD, view.causal_BTS[:, None])
    assert view.window_BTS is not None and view.units_BTU is not None
    assert kv.unit_key_BKUD is not None and kv.unit_value_BKUD is not None
    pooled = _read(query_BHTD, kv.unit_key_BKUD, kv.unit_value_BKUD, view.units_BTU[:, None])
    local = _read(query_BHTD, kv.key_BKSD, kv.value_BKSD, view.window_BTS[:, None])
    chosen_BHTS = _tokens_of(_best_units(query_BHTD, kv.unit_key_BKUD, view), query_BHTD.shape[1], view)
    selected = _read(query_BHTD, kv.key_BKSD, kv.value_BKSD, chosen_BHTS)
    return blend_readings(gate_BTH3, pooled, local, selected)


def _read(query_BHTD: Tensor, key_BKSD: Tensor, value_BKSD: Tensor, mask: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query_BHTD, key_BKSD, value_BKSD, attn_mask=mask, enable_gqa=True)


def blend_readings(gate_BTH3: Tensor, pooled: Tensor, local: Tensor, selected: Tensor) -> Tensor:
    """The sum of three readings [B, H, T, D], weighted by the gates."""
    gate_BHT3 = gate_BTH3.float().softmax(-1).to(pooled.dtype).transpose(1, 2)
    return gate_BHT3[..., 0:1] * pooled + gate_BHT3[..., 1:2] * local + gate_BHT3[..., 2:3] * selected


def attend_joint(query_BHTD: Tensor, kv: KeyValues, gate_BTH3: Tensor, view: View, blend: Blend) -> Tensor:
    """The form for training and for decoding short texts: the three readings in one pass.

    It computes one product with all keys, one pass over their logits (`blend`, which is `blend_weights`, compiled or
    not), and one product with all values. Returns [B, H, T, D], equal to `attend` unless the largest logit of one
    reading is more than 80 below that of another: then only the larger one would count. The logits of normed queries
    and keys stay far closer together.
    """
    assert view.window_BTS is not None and view.units_BTU is not None
    assert kv.unit_key_BKUD is not None and kv.unit_value_BKUD is not None
    B, H, T, D = query_BHTD.shape
    K = kv.key_BKSD.shape[1]
    query_BKXD = (query_BHTD * D**-0.5).reshape(B, K, H // K * T, D)
    chosen_BHTS = _tokens_of(_best_units(query_BHTD, kv.unit_key_BKUD, view), H, view)
    dtype = query_BHTD.dtype
    token_BHTS, unit_BHTU = blend(
        (query_BKXD @ kv.key_BKSD.transpose(-1, -2)).view(B, H, T, -1),
        (query_BKXD @ kv.unit_key_BKUD.transpose(-1, -2)).view(B, H, T, -1),
        view.causal_BTS[:, None].to(dtype),
        view.window_BTS[:, None].to(dtype),
        chosen_BHTS.to(dtype),
        view.units_BTU[:, None].to(dtype),
        gate_BTH3.transpose(1, 2),
    )
    token_BKXS, unit_BKXU = (p.view(B, K, H // K * T, -1) for p in (token_BHTS, unit_BHTU))
    return (token_BKXS @ kv.value_BKSD + unit_BKXU @ kv.unit_value_BKUD).view(B, H, T, D)


def blend_weights(
    token_BHTS: Tensor,
    unit_BHTU: Tensor,
    causal: Tensor,
    window: Tensor,
    chosen: Tensor,
    units: Tensor,
    gate: Tensor,
) -> tuple[Tensor, Tensor]:
    """The weight of each token's and each unit's value, from their logits, 0/1 masks and gate logits [B, H, T, 3].

    The masks are factors, because the exponential of minus infinity takes a slow path on CPUs.
    """
    dtype = token_BHTS.dtype
    token_BHTS, unit_BHTU = token_BHTS.float(), unit_BHTU.float()
    top = torch.maximum((token_BHTS * causal).amax(-1, True), (unit_BHTU * units).amax(-1, True)).detach()
    exp_token = (token_BHTS - top).clamp(max=0).exp()
    exp_unit = (unit_BHTU - top).clamp(max=0).exp() * units
    near, far = exp_token * window, exp_token * chosen
    gate = gate.float().softmax(-1)
    sum_unit, sum_near, sum_far = (part.sum(-1, True).clamp(min=MIN_SUM) for part in (exp_unit, near, far))
    weight_unit = gate[..., 0:1] / sum_unit * exp_unit
    weight_token = gate[..., 1:2] / sum_near * near + gate[..., 2:3] / sum_far * far
    return weight_token.to(dtype), weight_unit.to(dtype)


def unit_scores(query_BHTD: Tensor, unit_key_BKUD: Tensor, visible_BTU: Tensor) -> Tensor:
    """[B, K, T, U]: the sum over a group's query heads of query · unit key; -inf for invisible units.

    The heads of a group share a score, so that they all read the same keys and values.
    """
    B, H, T, D = query_BHTD.shape
    K = unit_key_BKUD.shape[1]
    query_BKTD = query_BHTD.view(B, K, H // K, T, D).sum(dim=2, dtype=torch.float32)
    score_BKTU = query_BKTD @ unit_key_BKUD.float().transpose(-1, -2)
    return score_BKTU.masked_fill(~visible_BTU[:, None], float("-inf"))


def _best_units(query_BHTD: Tensor, unit_key_BKUD: Tensor, view: View) -> Tensor:
    """The mask [B, K or 1, T, U] of each query's `top_units` best visible units, or of all if there are fewer."""
    assert view.units_BTU is not None
    visible_B1TU = view.units_BTU[:, None]
    if view.reads_all_units:
        return visible_B1TU
    score_BKTU = unit_scores(query_BHTD, unit_key_BKUD, view.units_BTU)
    best_BKTk = score_BKTU.topk(view.top_units, dim=-1).indices
    return torch.zeros_like(score_BKTU, dtype=torch.bool).scatter_(-1, best_BKTk, True) & visible_B1TU


def _tokens_of(chosen_BKTU: Tensor, heads: int, view: View) -> Tensor:
    """The mask [B, H or 1, T, S] of the tokens of the chosen units."""
    assert view.unit_BS is not None
    B, K, T, _ = chosen_BKTU.shape
    unit_BKTS = view.unit_BS.clamp(min=0)[:, None, None, :].expand(B, K, T, -1)
    tokens_BKTS = chosen_BKTU.gather(-1, unit_BKTS) & view.causal_BTS[:, None]
    return tokens_BKTS if K == 1 else tokens_BKTS.repeat_interleave(heads // K, dim=1)


def attend_sparse(query_BH1D: Tensor, kv: KeyValues, gate_B1H3: Tensor, view: View, units: Units) -> Tensor:
    """The fast form for one query in each row: it gathers only the units and tokens that the query reads.

    Returns [B, H, 1, D], equal to `attend` for the same input. Reads at most U + W + 1 + k · `max_unit` keys per head.
    """
    assert kv.unit_key_BKUD is not None and kv.unit_value_BKUD is not None and view.units_BTU is not None
    B, K, S, _ = kv.key_BKSD.shape
    pooled = _read(query_BH1D, kv.unit_key_BKUD, kv.unit_value_BKUD, view.units_BTU[:, None])

    start_BU1 = units.starts_BU(view.units_BTU.shape[-1])
    first_B1 = start_BU1[:, :1]
    near_BW = torch.arange(max(0, S - view.window), S, device=first_B1.device).expand(B, -1)
    local_BX = torch.cat([first_B1, near_BW], dim=1)
    local_real_BX = torch.cat([first_B1 < near_BW[:, :1], near_BW >= first_B1], dim=1)
    local = _gathered(query_BH1D, kv, local_BX[:, None].expand(B, K, -1), local_real_BX[:, None].expand(B, K, -1))

    score_BKU = unit_scores(query_BH1D, kv.unit_key_BKUD, view.units_BTU)[:, :, 0]
    best = score_BKU.topk(min(view.top_units, score_BKU.shape[-1]), dim=-1)
    start_BKk = start_BU1[:, None].expand(B, K, -1).gather(2, best.indices)
    end_BKk = start_BU1[:, None].expand(B, K, -1).gather(2, best.indices + 1)
    token_BKkM = start_BKk[..., None] + torch.arange(view.max_unit, device=first_B1.device)
    real_BKkM = (token_BKkM < end_BKk[..., None]) & (best.values > float("-inf"))[..., None]
    real_BKX, token_BKX = _real_first(real_BKkM.flatten(2), token_BKkM.clamp(max=S - 1).flatten(2))
    selected = _gathered(query_BH1D, kv, token_BKX, real_BKX)
    if (reads := _READS.get()) is not None:
        token_BKY = torch.cat([local_BX[:, None].expand(B, K, -1), token_BKX], dim=2)
        real_BKY = torch.cat([local_real_BX[:, None].expand(B, K, -1), real_BKX], dim=2)
        reads.append(_count_reads(token_BKY, real_BKY, view.units_BTU))
    return blend_readings(gate_B1H3, pooled, local, selected)


@contextmanager
def record_reads() -> Iterator[list[Tensor]]:
    """Records how much each call of `attend_sparse` reads while the `with` block runs: [B, K, 2].

    For each key/value head, the first number counts the distinct units and tokens that the query needs. The second
    counts the rows gathered for it, including fillers and tokens that two readings share.
    """
    reads = list[Tensor]()
    token = _READS.set(reads)
    try:
        yield reads
    finally:
        _READS.reset(token)


_READS: ContextVar[list[Tensor] | None] = ContextVar("reads", default=None)


def _count_reads(token_BKY: Tensor, real_BKY: Tensor, units_B1U: Tensor) -> Tensor:
    distinct_BK = torch.tensor(
        [
            [len(token_Y[real_Y].unique()) for token_Y, real_Y in zip(token_KY, real_KY, strict=True)]
            for token_KY, real_KY in zip(token_BKY, real_BKY, strict=True)
        ]
    )
    needed_BK = distinct_BK + units_B1U.sum((1, 2)).cpu()[:, None]
    return torch.stack([needed_BK, torch.full_like(needed_BK, token_BKY.shape[2] + units_B1U.shape[2])], dim=2)


def _real_first(real_BKX: Tensor, token_BKX: Tensor) -> tuple[Tensor, Tensor]:
    """Masks and tokens with the real tokens first, truncated after the last real token of any head."""
    longest = max(1, int(real_BKX.sum(-1).max()))
    real = real_BKX.to(torch.uint8).topk(longest, dim=-1)
    return real.values.bool(), token_BKX.gather(2, real.indices)


def _gathered(query_BH1D: Tensor, kv: KeyValues, token_BKX: Tensor, real_BKX: Tensor) -> Tensor:
    """Attention of one query in each row over the X chosen tokens of each key/value head."""
    B, H, _, D = query_BH1D.shape
    K = kv.key_BKSD.shape[1]
    index_BKXD = token_BKX[..., None].expand(-1, -1, -1, D)
    query_BKGD = query_BH1D.view(B, K, H // K, D)
    read_BKGD = F.scaled_dot_product_attention(
        query_BKGD,
        kv.key_BKSD.gather(2, index_BKXD),
        kv.value_BKSD.gather(2, index_BKXD),
        attn_mask=real_BKX[:, :, None],
    )
    return read_BKGD.reshape(B, H, 1, D)
