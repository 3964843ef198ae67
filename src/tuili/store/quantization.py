"""Models trained for integer arithmetic: how they compute, and which tensors of a folder are stored as integers.

The field `quantization` of config.json defines the arithmetic; `docs/models.md` describes the tensors for readers
without Tuili. `tuili.native.rounding`, and `tuili.model` in torch, do the rounding.

Dimensions: E experts, N outputs of a matrix, K inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import ConfigDict

WholeNumbers = Literal["int8", "w4a8"]
WHOLE_NUMBERS: tuple[WholeNumbers, ...] = get_args(WholeNumbers)
WEIGHT_GROUP = 32
"""The number of inputs that share one scale in 4-bit weights."""
MOST_MIXED = 64
SCALE_SUFFIX = "_scale"
"""Appended to the name of an integer tensor, it gives the name of its scales."""
_EMBEDDING, _HEAD = "embed_tokens.weight", "lm_head.weight"
_FACTORS = ("", ".inner", ".core", ".outer")
_MATRICES = (
    *(f"{part}_proj{factor}.weight" for part in ("q", "k", "v", "o", "gate_up", "down") for factor in _FACTORS),
    *(f"experts.{part}_proj{factor}" for part in ("gate_up", "down") for factor in _FACTORS),
    *(f"mlp.{part}_proj{factor}.weight" for part in ("gate", "up") for factor in _FACTORS),
)
"""Suffixes of the names of matrices that are multiplied as integers; the last group is that of imported models.
Routers and attention gates are excluded: they are small, and make decisions. Each matrix may be kept as factors."""


@dataclass(frozen=True)
class Quantization:
    """The number formats that a model was trained for.

    numbers: the format of weights: 8 bits with one scale per output, or 4 bits with one scale per output and 32 inputs.
    In both, activations have 8 bits and one scale per token. cache: the format of keys and values: 8 bits with one
    scale per token and head; None if they are not rounded.

    Raises `ValueError` for other formats.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    numbers: WholeNumbers = "int8"
    cache: Literal["int8"] | None = None

    def __post_init__(self) -> None:
        if self.numbers not in WHOLE_NUMBERS:
            raise ValueError(f"quantization.numbers is {self.numbers!r}: use {' or '.join(WHOLE_NUMBERS)}")
        if self.cache not in (None, "int8"):
            raise ValueError(f"quantization.cache is {self.cache!r}: use int8 or null")

    def bits(self, inputs: int) -> Literal[4, 8]:
        """The bits per weight of a matrix with this number of inputs: 8 if the number is not a multiple of 32."""
        return 4 if self.numbers == "w4a8" and inputs % WEIGHT_GROUP == 0 else 8

    def mixing(self, inputs: int) -> int:
        """The block size in which a Hadamard matrix mixes inputs before rounding, on both sides of a product; 0: none.

        This reduces the error of 4-bit weights, because no outliers remain in a block.
        """
        return 0 if self.bits(inputs) == 8 else MOST_MIXED if inputs % MOST_MIXED == 0 else WEIGHT_GROUP

    def stored_bits(self, name: str, shape: tuple[int, ...]) -> Literal[4, 8] | None:
        """The bits of a tensor, by its name and its shape in the network; None if it is not stored as integers.

        The embedding, which is also the head, keeps 8 bits, as does a separate head: they suffer too much from 4.
        """
        if name.endswith((_EMBEDDING, _HEAD)):
            return 8
        return self.bits(shape[-1]) if name.endswith(_MATRICES) else None

    def stored_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The names and shapes of the tensors in a folder, from those of the network.

        8 bits: [..., N, K] and scales [..., N, 1]; their product gives the weights. 4 bits: two per byte,
        [..., N, K / 2], and scales [..., N, K / 32]; the values that they give must still be mixed.
        """
        stored = dict[str, tuple[int, ...]]()
        for name, shape in shapes.items():
            bits, (*outer, inputs) = self.stored_bits(name, shape), shape
            stored[name] = (*outer, inputs // 2) if bits == 4 else shape
            if bits:
                stored[name + SCALE_SUFFIX] = (*outer, inputs // WEIGHT_GROUP if bits == 4 else 1)
        return stored

    def stored_kinds(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
        """The safetensors names of the number formats of those tensors in a folder that have a fixed format."""
        kinds = dict[str, str]()
        for name, shape in shapes.items():
            if bits := self.stored_bits(name, shape):
                kinds |= {name: "U8" if bits == 4 else "I8", name + SCALE_SUFFIX: "F16" if bits == 4 else "F32"}
        return kinds
