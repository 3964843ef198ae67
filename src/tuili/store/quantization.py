"""Models that were trained for whole numbers: how they compute, and which tensors of a folder are whole numbers.

The field `quantization` of config.json says the first; `docs/models.md` describes the tensors for readers without
Tuili. How numbers are rounded is left to `tuili.native.rounding`, and to `tuili.model` in torch.

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
"""Inputs that share one scale where weights have 4 bits."""
MOST_MIXED = 64
SCALE_SUFFIX = "_scale"
"""Behind the name of a tensor of whole numbers, that of its scales."""
_EMBEDDING, _HEAD = "embed_tokens.weight", "lm_head.weight"
_FACTORS = ("", ".inner", ".core", ".outer")
_MATRICES = (
    *(f"{part}_proj{factor}.weight" for part in ("q", "k", "v", "o", "gate_up", "down") for factor in _FACTORS),
    *(f"experts.{part}_proj{factor}" for part in ("gate_up", "down") for factor in _FACTORS),
    *(f"mlp.{part}_proj{factor}.weight" for part in ("gate", "up") for factor in _FACTORS),
)
"""How the names of matrices end that are multiplied in whole numbers, the last kind those of imported models.
Routers and the gates of attention are not among them: they are small, and decide. Each may be kept as factors."""


@dataclass(frozen=True)
class Quantization:
    """The numbers that a model was trained for.

    numbers: of weights, 8 bits with a scale for each output, or 4 bits with one for each output and 32 inputs. What
    they are multiplied with has 8 bits and a scale for each token in both. cache: of keys and values, 8 bits with a
    scale for each token and head; None where they are not rounded.

    Raises `ValueError` for others.
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
        """Those of the weights of a matrix with so many inputs. They are 8 where 32 does not divide the inputs."""
        return 4 if self.numbers == "w4a8" and inputs % WEIGHT_GROUP == 0 else 8

    def mixing(self, inputs: int) -> int:
        """The inputs of a block that a Hadamard matrix mixes before it is rounded, on both sides of a product; 0: none.

        Weights of 4 bits then err less: a block has no inputs that stand out from it.
        """
        return 0 if self.bits(inputs) == 8 else MOST_MIXED if inputs % MOST_MIXED == 0 else WEIGHT_GROUP

    def stored_bits(self, name: str, shape: tuple[int, ...]) -> Literal[4, 8] | None:
        """Those of a tensor of a model, by its name and its shape in the network; None where it has no whole numbers.

        The embedding, which is the head too, keeps 8, and so does a head of its own: they bear 4 badly.
        """
        if name.endswith((_EMBEDDING, _HEAD)):
            return 8
        return self.bits(shape[-1]) if name.endswith(_MATRICES) else None

    def stored_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The names and shapes of the tensors in a folder, from those of the network.

        Of 8 bits: [..., N, K], and scales [..., N, 1], so that the product of both are the weights. Of 4 bits: two in a
        byte, [..., N, K / 2], and scales [..., N, K / 32]; what they stand for is still to be mixed.
        """
        stored = dict[str, tuple[int, ...]]()
        for name, shape in shapes.items():
            bits, (*outer, inputs) = self.stored_bits(name, shape), shape
            stored[name] = (*outer, inputs // 2) if bits == 4 else shape
            if bits:
                stored[name + SCALE_SUFFIX] = (*outer, inputs // WEIGHT_GROUP if bits == 4 else 1)
        return stored

    def stored_kinds(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
        """What safetensors calls the number format of those tensors in a folder that have a fixed one."""
        kinds = dict[str, str]()
        for name, shape in shapes.items():
            if bits := self.stored_bits(name, shape):
                kinds |= {name: "U8" if bits == 4 else "I8", name + SCALE_SUFFIX: "F16" if bits == 4 else "F32"}
        return kinds
