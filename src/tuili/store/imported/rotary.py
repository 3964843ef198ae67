"""Rotary positions of dense models: how fast each pair of a head rotates, unscaled or scaled to longer contexts.

The frequencies are those of `ROPE_INIT_FUNCTIONS` in transformers. `dense_config` reads the settings from config.json;
the runners apply the rotation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from sys import float_info
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
RopeKind = Literal["linear", "llama3", "yarn"]
ROPE_KINDS: tuple[str, ...] = get_args(RopeKind)


@dataclass(frozen=True)
class RopeScaling:
    """How positions are scaled, with the field names of transformers.

    factor: by how much. original_max_position_embeddings: the context length of the original training, for llama3 and
    yarn. low_freq_factor, high_freq_factor: the boundaries of llama3 (Llama 3.1). beta_fast, beta_slow,
    attention_factor, mscale, mscale_all_dim, truncate: parameters of yarn (Peng et al. 2023, arXiv 2309.00071).
    Raises `ValueError` for values that give no frequencies.
    """

    kind: RopeKind
    factor: float
    original_max_position_embeddings: int | None = None
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True

    def __post_init__(self) -> None:
        """Raise `ValueError` for values that give no frequencies."""
        if self.kind not in ROPE_KINDS:
            raise ValueError(f"rope_type is {self.kind!r}: use default, {', '.join(ROPE_KINDS)}")
        if not 1 <= self.factor <= float_info.max:
            raise ValueError(f"factor of rope scaling is {self.factor}: it must be at least 1 and finite")
        if self.kind != "linear" and not 1 <= (self.original_max_position_embeddings or 0) <= 2**31:
            raise ValueError(
                f"original_max_position_embeddings is {self.original_max_position_embeddings}: {self.kind} needs it"
            )
        if not 0 < self.low_freq_factor < self.high_freq_factor <= float_info.max:
            raise ValueError(
                f"low_freq_factor is {self.low_freq_factor}: it must be above 0 and below high_freq_factor, "
                f"{self.high_freq_factor}"
            )
        for name in ("beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= float_info.max:
                raise ValueError(f"{name} of rope scaling is {value}: it must be above 0 and finite")


def scaled_frequencies(head_dim: int, theta: float, scaling: RopeScaling | None) -> tuple[Array, float]:
    """The radians per position by which each pair of a head rotates, float32 [D/2], and the factor of cosines and
    sines."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    # numpy's float32 powers are less accurate than torch's, which shows in an angle at position 8,000
    powers = (np.float64(theta) ** exponents.astype(np.float64)).astype(np.float32)
    plain = (np.float32(1.0) / powers).astype(np.float32)
    if scaling is None:
        return plain, 1.0
    if scaling.kind == "linear":
        return plain / np.float32(scaling.factor), 1.0
    if scaling.kind == "llama3":
        return _llama3(plain, scaling), 1.0
    return _yarn(powers, theta, scaling)


def _llama3(plain: Array, scaling: RopeScaling) -> Array:
    """Scale long wavelengths, keep short ones, and interpolate between the two in the middle."""
    context = np.float32(scaling.original_max_position_embeddings)
    low, high = np.float32(scaling.low_freq_factor), np.float32(scaling.high_freq_factor)
    wave = np.float32(2 * math.pi) / plain
    stretched = plain / np.float32(scaling.factor)
    smooth = (context / wave - low) / (high - low)
    mixed = (1 - smooth) * plain / np.float32(scaling.factor) + smooth * plain
    frequencies = np.where(wave > context / low, stretched, np.where(wave < context / high, plain, mixed))
    return frequencies.astype(np.float32)


def _yarn(powers: Array, theta: float, scaling: RopeScaling) -> tuple[Array, float]:
    """Keep pairs that rotate often within the original context, scale slow ones, and use a ramp in between."""
    dim, context, factor = 2 * powers.size, scaling.original_max_position_embeddings or 1, scaling.factor

    def pair_of(turns: float) -> float:
        return dim * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = pair_of(scaling.beta_fast), pair_of(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((np.arange(dim // 2, dtype=np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    kept = 1 - ramp
    frequencies = 1 / (np.float32(factor) * powers) * (1 - kept) + 1 / powers * kept
    return frequencies.astype(np.float32), _yarn_attention(scaling)


def _yarn_attention(scaling: RopeScaling) -> float:
    def mscale(weight: float) -> float:
        return 1.0 if scaling.factor <= 1 else 0.1 * weight * math.log(scaling.factor) + 1.0

    if scaling.attention_factor is not None:
        return scaling.attention_factor
    if scaling.mscale and scaling.mscale_all_dim:
        return mscale(scaling.mscale) / mscale(scaling.mscale_all_dim)
    return mscale(1.0)
