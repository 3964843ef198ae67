"""Quantisation as a `Compression`: the model keeps its weights at first, and its products are rounded.

What is rounded, and how, is left to `tuili.model`, and to `tuili.posttrain` for imported models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from tuili.compress.compression import Compression
from tuili.compress.imported import ImportedParent
from tuili.compress.network import Network
from tuili.compress.own import OwnParent
from tuili.compress.parent import Parent, Samples, Tell
from tuili.compress.quantizing.recipe import QuantizeConfig
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM, write_model_files
from tuili.posttrain import Backbone, round_backbone
from tuili.store import (
    WEIGHT_GROUP,
    ModelShape,
    Parameters,
    Quantization,
    count_parameters,
    tensor_shapes,
    weight_bytes,
)

_BYTES = {"I8": 1, "U8": 1, "F16": 2, "F32": 4}


class Quantizing(Compression):
    """One model in whole numbers, in one stage."""

    step = "quantize"

    def __init__(self, parent: Parent, config: QuantizeConfig) -> None:
        super().__init__(parent)
        self._config, self._quantization = config, config.quantization
        self.compared_with = "bf16" if parent.dtype is torch.bfloat16 else "fp32"
        if isinstance(parent, ImportedParent):
            _check_imported(parent, config)
        elif config.numbers == "w4a8" and parent.shape.hidden_size % WEIGHT_GROUP:
            raise InputError(
                f"{parent.path}: w4a8 has groups of {WEIGHT_GROUP} inputs, and hidden_size is "
                f"{parent.shape.hidden_size}: use int8"
            )

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`."""
        return self._config.model_dump(mode="json")

    @property
    def parameters(self) -> Parameters:
        """See `Compression`: as many as before, in fewer bits."""
        return count_parameters(self.parent.shape)

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        shape, quantization = self.parent.shape, self._quantization
        told = {"numbers": quantization.numbers + (", keys and values int8" if quantization.cache else "")}
        if (share := self.figures.get("four_bits")) is not None:
            others = f", {1 - share:.0%} have 8: {WEIGHT_GROUP} does not divide their inputs" if share < 1 else ""
            told["weights of 4 bits"] = f"{share:.0%} of those of all matrices but the embedding{others}"
        before = weight_bytes(self.parent.path) / 1e6
        if isinstance(shape, ModelShape):
            return told | {"weights in the folder": f"{before:.1f} -> {stored_bytes(shape, quantization) / 1e6:.1f} MB"}
        return told | {"weights in the folder": f"{before:.1f} MB as before, which are rounded when they are loaded"}

    @property
    def figures(self) -> Mapping[str, float]:
        """See `Compression`: of w4a8, the share of weights that have 4 bits."""
        if self._config.numbers != "w4a8" or not isinstance(self.parent.shape, ModelShape):
            return {}
        return {"four_bits": four_bit_share(self.parent.shape, self._quantization)}

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        if isinstance(self.parent, OwnParent):
            return self._rounding(TuiliForCausalLM(self.parent.configuration))
        return self._rounding(self.parent.load())

    def change(self, stage: int, model: nn.Module, samples: Samples, tell: Tell) -> nn.Module:
        """See `Compression`: weights stay, products are rounded."""
        return self._rounding(model)

    def write(self, network: Network, fresh: Path) -> None:
        """See `Compression`: whole numbers with their scales. An imported model keeps the format of its parent, and
        its configuration says what it learnt; the native step rounds its weights to the very numbers."""
        if isinstance(self.parent, OwnParent):
            write_model_files(fresh, cast(TuiliForCausalLM, network.model), self.parent.stored.tokenizer)
            return
        self.parent.write(network, fresh)
        file = fresh / "config.json"
        document = json.loads(file.read_text(encoding="utf-8")) | {"quantization": {"numbers": "int8", "cache": None}}
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    def _rounding(self, model: nn.Module) -> nn.Module:
        if isinstance(model, TuiliForCausalLM):
            model.quantize(self._quantization)
        else:
            round_backbone(Backbone(model))
        return model


def stored_bytes(shape: ModelShape, quantization: Quantization) -> int:
    """How many bytes the weights of a model take in a folder."""
    shapes = tensor_shapes(shape)
    kinds = quantization.stored_kinds(shapes)
    stored = quantization.stored_shapes(shapes)
    return sum(prod(sizes) * _BYTES[kinds.get(name, "F32")] for name, sizes in stored.items())


def four_bit_share(shape: ModelShape, quantization: Quantization) -> float:
    """Of the weights in whole numbers but for the embedding, the share that has 4 bits."""
    counts = {4: 0, 8: 0}
    for name, sizes in tensor_shapes(shape).items():
        if (bits := quantization.stored_bits(name, sizes)) and "embed_tokens" not in name:
            counts[bits] += prod(sizes)
    return counts[4] / sum(counts.values())


def _check_imported(parent: ImportedParent, config: QuantizeConfig) -> None:
    if config.quantization != Quantization():
        raise InputError(
            f"{parent.path} is imported, and learns int8 with keys and values in full numbers alone: leave numbers and "
            "cache out"
        )
    learnt, stored = (str(dtype).removeprefix("torch.") for dtype in (parent.compute_dtype, parent.dtype))
    if config.healing.steps and learnt != stored:  # what was learnt would be rounded twice
        remedy = "leave it at auto" if config.healing.precision != "auto" else "store it in bfloat16 or float32 before"
        raise InputError(
            f"quantize.healing.precision = {config.healing.precision}: {parent.path} is stored in {stored}, and would "
            f"learn numbers of {learnt} that cannot be stored so: {remedy}"
        )
