"""What all layers share about a step, worked out once: angles, masks, and how new keys and values are stored.

Where the new tokens stand is found by `slots`; the layers that use this are in `network`.

Dimensions: A rows, T new tokens of each, U units, S tokens, X = U + S columns, K key/value heads, G query heads
of each, R readings, L = T * G * R queries of a key/value head, D head size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tuili.engine.runtime.torch.kv_cache import Place
from tuili.model import TuiliConfig

UNITS, WINDOW, CHOSEN = range(3)
"""The readings: means of units, tokens of the window, and tokens of the chosen units."""
NEVER = float("-inf")


class Step(NamedTuple):
    """What the queries of T tokens of A rows may read.

    cos_AT1D, sin_AT1D: rotary angles, the sines with the sign of the half that they turn. bias_A1LX: 0 for the columns
    that a reading may use, else minus infinity. column_AS: that of each token's unit. top: see `Place`.
    """

    cos_AT1D: Tensor
    sin_AT1D: Tensor
    bias_A1LX: Tensor
    column_AS: Tensor
    top: int

    def last(self) -> Step:
        """The same for the last token of each row alone."""
        queries = self.bias_A1LX.shape[2] // self.cos_AT1D.shape[1]
        return self._replace(
            cos_AT1D=self.cos_AT1D[:, -1:],
            sin_AT1D=self.sin_AT1D[:, -1:],
            bias_A1LX=self.bias_A1LX[:, :, -queries:],
        )

    def some(self, chosen_N: Tensor) -> Step:
        """The same for some of the rows, by their number among these."""
        cos_AT1D, sin_AT1D, bias_A1LX, column_AS, top = self
        return Step(cos_AT1D[chosen_N], sin_AT1D[chosen_N], bias_A1LX[chosen_N], column_AS[chosen_N], top)

    def as_rows(self) -> Step:
        """The same with each token as a row of its own."""
        (A, T), (L, X) = self.cos_AT1D.shape[:2], self.bias_A1LX.shape[2:]
        cos_N11D, sin_N11D = (angle_AT1D.flatten(0, 1)[:, None] for angle_AT1D in (self.cos_AT1D, self.sin_AT1D))
        bias_N1LX = self.bias_A1LX.view(A * T, 1, L // T, X)
        return Step(cos_N11D, sin_N11D, bias_N1LX, self.column_AS.repeat_interleave(T, dim=0), self.top)


class KeyValues(NamedTuple):
    """The keys and values that the queries of a step read."""

    kept_A2KXD: Tensor

    def some(self, chosen_N: Tensor) -> KeyValues:
        """The same for some of the rows."""
        return KeyValues(self.kept_A2KXD[chosen_N])

    def for_each(self, tokens: int) -> KeyValues:
        """The same for each of so many tokens of every row."""
        return KeyValues(self.kept_A2KXD.repeat_interleave(tokens, dim=0))


class Means(NamedTuple):
    """How T new tokens change the means of their units: the columns of these, and the weight of what stood there.

    For one token of a row that is one column; for several it is every column, and tokens have weights, too.
    """

    column_A1: Tensor | None
    share: Tensor
    weight_AUT: Tensor | None


def look(place: Place, angles_SD: tuple[Tensor, Tensor], config: TuiliConfig) -> Step:
    """What the queries of new tokens may read."""
    (A, T), S = place.column_AT.shape, place.unit_AS.shape[1]
    cos_AT1D, sin_AT1D = (angle_SD[place.column_AT][:, :, None] for angle_SD in angles_SD)
    token_S, column_AT1 = torch.arange(S, device=place.column_AT.device), place.column_AT[..., None]
    causal_ATS = token_S <= column_AT1
    X, U = place.kept_A2KXD[0].shape[3], place.kept_A2KXD[0].shape[3] - S
    bias_ATRX = cos_AT1D.new_full((A, T, 3 if config.layered else 1, X), NEVER)
    bias_ATRX[..., U:].masked_fill_(causal_ATS[:, :, None], 0.0)
    if config.layered:
        unit_U, own_AT1, unit_A1S = _unit_U(U, token_S.device), place.unit_AT[..., None], place.unit_AS[:, None]
        bias_ATRX[:, :, UNITS, :U].masked_fill_((unit_U < own_AT1) | (unit_U == 0), 0.0)
        bias_ATRX[:, :, UNITS, U:] = NEVER
        bias_ATRX[:, :, WINDOW, U:].masked_fill_((token_S <= column_AT1 - config.window) & (token_S > 0), NEVER)
        bias_ATRX[:, :, CHOSEN, U:].masked_fill_((unit_A1S >= own_AT1) & (unit_A1S > 0), NEVER)
    heads = config.num_attention_heads // config.num_key_value_heads
    bias_A1LX = bias_ATRX[:, :, None].expand(-1, -1, heads, -1, -1).reshape(A, 1, -1, X)
    return Step(cos_AT1D, sin_AT1D, bias_A1LX, (U - 1 - place.unit_AS).clamp(min=0), place.top)


def narrow(step: Step, query_AKTGD: Tensor, key_AKXD: Tensor) -> Tensor:
    """The bias [A, K, L, X] that lets the last reading see no tokens but those of the best units.

    A key/value head's queries choose together, by the sum of their products with the units' means.
    """
    A, K, T, G, _ = query_AKTGD.shape
    S = step.column_AS.shape[1]
    U = key_AKXD.shape[2] - S
    bias_AKTGRX = step.bias_A1LX.view(A, 1, T, G, 3, -1).repeat(1, K, 1, 1, 1, 1)
    score_AKTU = query_AKTGD.sum(3).float() @ key_AKXD[:, :, :U].float().transpose(-1, -2)
    score_AKTU = score_AKTU + bias_AKTGRX[:, :, :, 0, UNITS, :U]
    least_AKT1 = score_AKTU.topk(step.top, dim=-1).values[..., -1:]
    chosen_AKTU = torch.where(score_AKTU >= least_AKT1, 0.0, NEVER).to(bias_AKTGRX.dtype)
    token_AKTS = chosen_AKTU.gather(-1, step.column_AS[:, None, None].expand(-1, K, T, -1))
    bias_AKTGRX[..., CHOSEN, U:] += token_AKTS[:, :, :, None]
    return bias_AKTGRX.view(A, K, T * G * 3, -1)


def means(place: Place, dtype: torch.dtype) -> Means:
    """How the means of units take in the new tokens. One that begins takes nothing from what stood there."""
    U = place.kept_A2KXD[0].shape[3] - place.unit_AS.shape[1]
    if place.unit_AT.shape[1] == 1:
        share_A1 = (place.held_A1 / (place.held_A1 + 1)).to(dtype)
        return Means(U - 1 - place.unit_AT, share_A1[..., None, None, None], None)
    unit_U = _unit_U(U, place.unit_AT.device)
    member_AUT = (place.unit_AT[:, None] == unit_U[:, None]).to(dtype)
    size_AU, held_AU = member_AUT.sum(-1), place.held_A1 * (place.unit_AT[:, :1] == unit_U)
    total_AU = size_AU + held_AU
    share_AU = torch.where(size_AU > 0, held_AU / total_AU, 1.0).to(dtype)
    return Means(None, share_AU[:, None, None, :, None], member_AUT / total_AU.clamp(min=1)[..., None])


def write(layer: int, place: Place, means: Means | None, key_ATKD: Tensor, value_ATKD: Tensor) -> None:
    """Store one layer's keys and values of the new tokens, and let the means of their units take them in."""
    kept_A2KXD = place.kept_A2KXD[layer]
    row_A1 = torch.arange(len(kept_A2KXD), device=kept_A2KXD.device)[:, None]
    column_AT = place.column_AT + kept_A2KXD.shape[3] - place.unit_AS.shape[1]
    new_AT2KD = torch.stack((key_ATKD, value_ATKD), dim=2)
    if means is not None and means.column_A1 is not None:
        mean_A12KD = torch.lerp(new_AT2KD, kept_A2KXD[row_A1, :, :, means.column_A1], means.share)
        column_AT = torch.cat([column_AT, means.column_A1], dim=1)
        new_AT2KD = torch.cat([new_AT2KD, mean_A12KD], dim=1)
    kept_A2KXD[row_A1, :, :, column_AT] = new_AT2KD
    if means is not None and means.weight_AUT is not None:
        sum_A2KUD = means.weight_AUT[:, None, None] @ new_AT2KD.permute(0, 2, 3, 1, 4)
        kept_A2KXD[:, :, :, : sum_A2KUD.shape[3]].mul_(means.share).add_(sum_A2KUD)


def _unit_U(count: int, device: torch.device) -> Tensor:
    """The unit of each of the columns on the left: they are stored from the centre outwards."""
    return torch.arange(count - 1, -1, -1, device=device)
