"""What the layers of a step share: rotary angles, attention masks, and how new keys and values enter the cache.

`kv_cache` says where tokens stand; `lean_model` has the layers that use this.

Dimensions: A rows, T new tokens of each, U units, S tokens, X = U + S columns, K key/value heads, G query heads of
each, R readings (unit means, window, chosen units), L = T * G * R queries of a key/value head, D head size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tuili.engine.runtime.torch.kv_cache import CacheView
from tuili.model import TuiliConfig

UNIT_MEANS, WINDOW, CHOSEN_UNITS = range(3)
"""The readings of layered attention, in the order of their gates."""
MASKED = float("-inf")


class AttentionMetadata(NamedTuple):
    """What the queries of T tokens of A rows may read.

    cos_AT1D, sin_AT1D: rotary angles as in `KVCache`. bias_A1LX: 0 for the columns that a reading may use, else minus
    infinity. column_AS: the column of each token's unit. top_units: see `CacheView`.
    """

    cos_AT1D: Tensor
    sin_AT1D: Tensor
    bias_A1LX: Tensor
    column_AS: Tensor
    top_units: int

    def last(self) -> AttentionMetadata:
        """The metadata of the last token of each row."""
        queries = self.bias_A1LX.shape[2] // self.cos_AT1D.shape[1]
        return self._replace(
            cos_AT1D=self.cos_AT1D[:, -1:],
            sin_AT1D=self.sin_AT1D[:, -1:],
            bias_A1LX=self.bias_A1LX[:, :, -queries:],
        )

    def some(self, chosen_N: Tensor) -> AttentionMetadata:
        """The metadata of some rows, by their places."""
        cos_AT1D, sin_AT1D, bias_A1LX, column_AS, top_units = self
        return AttentionMetadata(
            cos_AT1D[chosen_N], sin_AT1D[chosen_N], bias_A1LX[chosen_N], column_AS[chosen_N], top_units
        )

    def as_rows(self) -> AttentionMetadata:
        """The metadata with each token as a row of its own."""
        (A, T), (L, X) = self.cos_AT1D.shape[:2], self.bias_A1LX.shape[2:]
        cos_N11D, sin_N11D = (angle_AT1D.flatten(0, 1)[:, None] for angle_AT1D in (self.cos_AT1D, self.sin_AT1D))
        bias_N1LX = self.bias_A1LX.view(A * T, 1, L // T, X)
        return AttentionMetadata(
            cos_N11D, sin_N11D, bias_N1LX, self.column_AS.repeat_interleave(T, dim=0), self.top_units
        )


class CachedKeyValues(NamedTuple):
    """The keys and values that the queries of a step read."""

    kv_A2KXD: Tensor

    def some(self, chosen_N: Tensor) -> CachedKeyValues:
        """Those of some rows, by their places."""
        return CachedKeyValues(self.kv_A2KXD[chosen_N])

    def for_each(self, tokens: int) -> CachedKeyValues:
        """Each row repeated for so many tokens."""
        return CachedKeyValues(self.kv_A2KXD.repeat_interleave(tokens, dim=0))


class UnitMeanUpdate(NamedTuple):
    """How T new tokens enter the means of their units.

    For one token: column_A1 is the column of its unit, share the weight of the present mean. For several tokens:
    column_A1 is None, share has a weight for every unit, and weight_AUT the weight of each token in each unit.
    """

    column_A1: Tensor | None
    share: Tensor
    weight_AUT: Tensor | None


def build_metadata(view: CacheView, angles_SD: tuple[Tensor, Tensor], config: TuiliConfig) -> AttentionMetadata:
    """Angles and masks for the queries of new tokens."""
    (A, T), S = view.column_AT.shape, view.unit_AS.shape[1]
    cos_AT1D, sin_AT1D = (angle_SD[view.column_AT][:, :, None] for angle_SD in angles_SD)
    token_S, column_AT1 = torch.arange(S, device=view.column_AT.device), view.column_AT[..., None]
    causal_ATS = token_S <= column_AT1
    X, U = view.kv_A2KXD[0].shape[3], view.kv_A2KXD[0].shape[3] - S
    bias_ATRX = cos_AT1D.new_full((A, T, 3 if config.layered else 1, X), MASKED)
    bias_ATRX[..., U:].masked_fill_(causal_ATS[:, :, None], 0.0)
    if config.layered:
        unit_U, unit_AT1, unit_A1S = _unit_U(U, token_S.device), view.unit_AT[..., None], view.unit_AS[:, None]
        bias_ATRX[:, :, UNIT_MEANS, :U].masked_fill_((unit_U < unit_AT1) | (unit_U == 0), 0.0)
        bias_ATRX[:, :, UNIT_MEANS, U:] = MASKED
        bias_ATRX[:, :, WINDOW, U:].masked_fill_((token_S <= column_AT1 - config.window) & (token_S > 0), MASKED)
        bias_ATRX[:, :, CHOSEN_UNITS, U:].masked_fill_((unit_A1S >= unit_AT1) & (unit_A1S > 0), MASKED)
    heads = config.num_attention_heads // config.num_key_value_heads
    bias_A1LX = bias_ATRX[:, :, None].expand(-1, -1, heads, -1, -1).reshape(A, 1, -1, X)
    return AttentionMetadata(cos_AT1D, sin_AT1D, bias_A1LX, (U - 1 - view.unit_AS).clamp(min=0), view.top_units)


def select_units(metadata: AttentionMetadata, query_AKTGD: Tensor, key_AKXD: Tensor) -> Tensor:
    """The bias [A, K, L, X] in which the last reading sees only the tokens of the `top_units` best units.

    The queries of one key/value head choose together: a unit's score is the sum of their products with its mean key.
    """
    A, K, T, G, _ = query_AKTGD.shape
    S = metadata.column_AS.shape[1]
    U = key_AKXD.shape[2] - S
    bias_AKTGRX = metadata.bias_A1LX.view(A, 1, T, G, 3, -1).repeat(1, K, 1, 1, 1, 1)
    score_AKTU = query_AKTGD.sum(3).float() @ key_AKXD[:, :, :U].float().transpose(-1, -2)
    score_AKTU = score_AKTU + bias_AKTGRX[:, :, :, 0, UNIT_MEANS, :U]
    least_AKT1 = score_AKTU.topk(metadata.top_units, dim=-1).values[..., -1:]
    chosen_AKTU = torch.where(score_AKTU >= least_AKT1, 0.0, MASKED).to(bias_AKTGRX.dtype)
    token_AKTS = chosen_AKTU.gather(-1, metadata.column_AS[:, None, None].expand(-1, K, T, -1))
    bias_AKTGRX[..., CHOSEN_UNITS, U:] += token_AKTS[:, :, :, None]
    return bias_AKTGRX.view(A, K, T * G * 3, -1)


def unit_mean_update(view: CacheView, dtype: torch.dtype) -> UnitMeanUpdate:
    """How the new tokens enter the means of their units. The mean of a new unit starts from nothing."""
    U = view.kv_A2KXD[0].shape[3] - view.unit_AS.shape[1]
    if view.unit_AT.shape[1] == 1:
        share_A1 = (view.open_A1 / (view.open_A1 + 1)).to(dtype)
        return UnitMeanUpdate(U - 1 - view.unit_AT, share_A1[..., None, None, None], None)
    unit_U = _unit_U(U, view.unit_AT.device)
    member_AUT = (view.unit_AT[:, None] == unit_U[:, None]).to(dtype)
    size_AU, held_AU = member_AUT.sum(-1), view.open_A1 * (view.unit_AT[:, :1] == unit_U)
    total_AU = size_AU + held_AU
    share_AU = torch.where(size_AU > 0, held_AU / total_AU, 1.0).to(dtype)
    return UnitMeanUpdate(None, share_AU[:, None, None, :, None], member_AUT / total_AU.clamp(min=1)[..., None])


def write(layer: int, view: CacheView, update: UnitMeanUpdate | None, key_ATKD: Tensor, value_ATKD: Tensor) -> None:
    """Store the keys and values of new tokens in one layer of the cache, and update the means of their units."""
    kv_A2KXD = view.kv_A2KXD[layer]
    row_A1 = torch.arange(len(kv_A2KXD), device=kv_A2KXD.device)[:, None]
    column_AT = view.column_AT + kv_A2KXD.shape[3] - view.unit_AS.shape[1]
    new_AT2KD = torch.stack((key_ATKD, value_ATKD), dim=2)
    if update is not None and update.column_A1 is not None:
        mean_A12KD = torch.lerp(new_AT2KD, kv_A2KXD[row_A1, :, :, update.column_A1], update.share)
        column_AT = torch.cat([column_AT, update.column_A1], dim=1)
        new_AT2KD = torch.cat([new_AT2KD, mean_A12KD], dim=1)
    kv_A2KXD[row_A1, :, :, column_AT] = new_AT2KD
    if update is not None and update.weight_AUT is not None:
        sum_A2KUD = update.weight_AUT[:, None, None] @ new_AT2KD.permute(0, 2, 3, 1, 4)
        kv_A2KXD[:, :, :, : sum_A2KUD.shape[3]].mul_(update.share).add_(sum_A2KUD)


def _unit_U(count: int, device: torch.device) -> Tensor:
    """The unit in each column to the left of the centre: units are stored from the centre outwards."""
    return torch.arange(count - 1, -1, -1, device=device)
