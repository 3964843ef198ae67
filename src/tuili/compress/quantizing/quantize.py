"""Quantisation as a `Compression`: products are rounded, and 4-bit weights compensate for that before they learn.

`tuili.model` does the rounding, and `tuili.posttrain` does it for imported models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tuili.compress.compression import Compression
from tuili.compress.dense import dense_moments
from tuili.compress.imported import ImportedParent
from tuili.compress.moments import moment_bytes
from tuili.compress.network import Network
from tuili.compress.own import OwnParent
from tuili.compress.parent import Parent, Samples
from tuili.compress.quantizing.compensation import compensated, inverse_factors
from tuili.compress.quantizing.recipe import QuantizeConfig
from tuili.compress.reading import moments_of
from tuili.compress.trial import Part, Tried, of_each_size, sampled
from tuili.compress.watch import Watch
from tuili.data import Block
from tuili.errors import InputError
from tuili.model import Experts, TuiliForCausalLM, stored_state, write_model_files
from tuili.native import mixing_of
from tuili.posttrain import Backbone, round_backbone
from tuili.store import (
    ARCHITECTURES,
    WEIGHT_GROUP,
    DenseShape,
    ModelShape,
    Quantization,
    dense_tensor_shapes,
    stored_dense,
    tensor_shapes,
    weight_bytes,
)

_BYTES = {"I8": 1, "U8": 1, "F16": 2, "F32": 4}


class Quantizing(Compression):
    """The quantisation of one model, in one stage."""

    step = "quantize"

    def __init__(self, parent: Parent, config: QuantizeConfig) -> None:
        super().__init__(parent)
        self._config, self._quantization = config, config.quantization
        self.compared_with = "bf16" if parent.dtype is torch.bfloat16 else "fp32"
        if isinstance(parent, ImportedParent):
            _check_imported(parent, config)
        if config.numbers == "w4a8" and parent.shape.hidden_size % WEIGHT_GROUP:
            raise InputError(
                f"{parent.path}: w4a8 has groups of {WEIGHT_GROUP} inputs, and hidden_size is "
                f"{parent.shape.hidden_size}: use int8"
            )

    @property
    def recipe(self) -> Mapping[str, Any]:
        """See `Compression`."""
        return self._config.model_dump(mode="json")

    @property
    def shape(self) -> ModelShape | DenseShape:
        """See `Compression`: unchanged, as only the bits are fewer."""
        return self.parent.shape

    @property
    def sample_bytes(self) -> int:
        """See `Compression`: second moments of the inputs of 4-bit matrices."""
        if not self._config.compensates:
            return 0
        return moment_bytes(self.parent.shape, lambda name, inputs: self._quantization.bits(inputs) == 4)

    @property
    def changes(self) -> Mapping[str, str]:
        """See `Compression`."""
        quantization = self._quantization
        told = {"numbers": quantization.numbers + (", keys and values int8" if quantization.cache else "")}
        if (share := self.figures.get("four_bits")) is not None:
            others = f", {1 - share:.0%} have 8: {WEIGHT_GROUP} does not divide their inputs" if share < 1 else ""
            told["weights of 4 bits"] = f"{share:.0%} of those of all matrices but the embedding{others}"
        before, after = weight_bytes(self.parent.path) / 1e6, self.stored_bytes / 1e6
        return told | {"weights in the folder": f"{before:.1f} -> {after:.1f} MB"}

    @property
    def stored_bytes(self) -> int:
        """How many bytes the weights will take in the folder."""
        return stored_bytes(self.parent.shape, self._quantization, self.parent.dtype.itemsize)

    @property
    def figures(self) -> Mapping[str, float]:
        """See `Compression`: for w4a8, the share of weights that have 4 bits."""
        if self._config.numbers != "w4a8":
            return {}
        return {"four_bits": four_bit_share(self.parent.shape, self._quantization)}

    def blank(self, stage: int) -> nn.Module:
        """See `Compression`."""
        if isinstance(self.parent, OwnParent):
            return self._rounding(TuiliForCausalLM(self.parent.configuration))
        return self._rounding(self.parent.load())

    def change(self, stage: int, model: nn.Module, samples: Samples, watch: Watch) -> nn.Module:
        """See `Compression`: rounds products, after changing weights to compensate if the recipe says so."""
        if self._config.compensates:
            watch.tell(f"compensation for rounding, on {self._config.samples} documents")
            self._compensate(model, samples(self._config.samples), watch)
        return self._rounding(model)

    @torch.no_grad()
    def _compensate(self, model: nn.Module, blocks: Iterable[Block], watch: Watch) -> None:
        weights, mixing = self._of_4_bits(model), self._mixing
        moments = self._moments(model, weights, blocks)
        last: Tensor | None = None  # matrices with the same inputs, such as queries and keys, are adjacent
        for name in watch.counted([*weights], "compensation", "matrices"):
            weight, moment_EII = weights[name], moments.pop(name)
            block = mixing(weight.shape[-1])
            if moment_EII is not last:
                upper_EII, last = inverse_factors(moment_EII, block), moment_EII
            stack_EOI = weight.detach().reshape(-1, *weight.shape[-2:])
            weight.copy_(compensated(stack_EOI, upper_EII, block).view_as(weight))

    def parts(self, tried: Tried) -> Iterator[Part]:
        """See `Compression`: tries one matrix of each size."""
        if not self._config.compensates:
            return
        model, moments = self.parent.load(), dict[str, Tensor]()
        weights = self._of_4_bits(model)
        yield sampled(
            self._config.samples, tried.block, lambda blocks: moments.update(self._moments(model, weights, blocks))
        )
        sizes = {name: weight.shape for name, weight in weights.items()}
        yield from of_each_size("compensation", sizes, lambda name: self._try(weights[name], moments[name]))

    def _try(self, weight: Tensor, moment_EII: Tensor) -> float:
        block = self._mixing(weight.shape[-1])
        compensated(weight.detach().reshape(-1, *weight.shape[-2:]), inverse_factors(moment_EII, block), block)
        return 1.0

    def _of_4_bits(self, model: nn.Module) -> dict[str, Tensor]:
        """The matrices that get 4-bit weights, by their names below `model`."""
        bits = self._quantization.bits
        return {name: weight for name, weight in rounded_matrices(model).items() if bits(weight.shape[-1]) == 4}

    def _moments(self, model: nn.Module, names: Iterable[str], blocks: Iterable[Block]) -> dict[str, Tensor]:
        """The second moments of the inputs of these matrices."""
        if isinstance(model, TuiliForCausalLM):
            return moments_of(model, names, blocks)
        assert isinstance(self.parent, ImportedParent)
        network = self.parent.network(model, learns=False)
        return dense_moments(model, network, self.parent.prefix, names, blocks)

    @property
    def _mixing(self) -> Callable[[int], int]:
        """Returns how many inputs a mixed block has, from the number of inputs."""
        return self._quantization.mixing if isinstance(self.parent, OwnParent) else mixing_of

    def write(self, network: Network, fresh: Path) -> None:
        """See `Compression`: writes integers with their scales. The weights of an imported model are rounded from the
        values that its parent's folder would store; it becomes a model of Tuili's own type, which supports integers."""
        if isinstance(self.parent, OwnParent):
            write_model_files(fresh, cast(TuiliForCausalLM, network.model), self.parent.stored.tokenizer)
            return
        parent, shape = self.parent, self.parent.shape
        assert isinstance(parent, ImportedParent) and isinstance(shape, DenseShape)
        full = {name: weight.to(parent.dtype) for name, weight in network.tensors().items()}
        weights = stored_state(full, self._quantization, foreign=True, tied=shape.tie_word_embeddings)
        named = {"model_type": f"tuili_{shape.family}", "architectures": [f"Tuili{ARCHITECTURES[shape.family]}"]}
        parent.write_as(network, fresh, weights, named | {"quantization": asdict(self._quantization)})

    def _rounding(self, model: nn.Module) -> nn.Module:
        if isinstance(model, TuiliForCausalLM):
            model.quantize(self._quantization)
        else:
            round_backbone(Backbone(model), self._quantization)
        return model


def rounded_matrices(model: nn.Module) -> dict[str, Tensor]:
    """The weights [O, I] of the rounded linear layers of a model, and [E, O, I] of experts that are not factors, by
    their names below `model`. The head is excluded: it keeps 8 bits."""
    network: Any = model.model  # for both kinds
    found: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, Experts):
            found |= {f"{name}.{stack}": getattr(module, stack) for stack in ("gate_up_proj", "down_proj")}
        elif isinstance(module, nn.Linear) and getattr(module, "use", "body") == "body":
            found[name] = module.weight
    return found


def stored_bytes(shape: ModelShape | DenseShape, quantization: Quantization, full: int = 4) -> int:
    """How many bytes the weights of a model take in a folder. full: the bytes of a number that is not an integer."""
    if isinstance(shape, DenseShape):
        stored, kinds = stored_dense(replace(shape, quantization=quantization))
    else:
        shapes = tensor_shapes(shape)
        stored, kinds, full = quantization.stored_shapes(shapes), quantization.stored_kinds(shapes), 4
    return sum(prod(sizes) * (_BYTES[kinds[name]] if name in kinds else full) for name, sizes in stored.items())


def four_bit_share(shape: ModelShape | DenseShape, quantization: Quantization) -> float:
    """The share of the integer weights, excluding the embedding, that has 4 bits."""
    counts = {4: 0, 8: 0}
    shapes = dense_tensor_shapes(shape) if isinstance(shape, DenseShape) else tensor_shapes(shape)
    for name, sizes in shapes.items():
        if (bits := quantization.stored_bits(name, sizes)) and "embed_tokens" not in name:
            counts[bits] += prod(sizes)
    return counts[4] / sum(counts.values())


def _check_imported(parent: ImportedParent, config: QuantizeConfig) -> None:
    learnt, stored = (str(dtype).removeprefix("torch.") for dtype in (parent.compute_dtype, parent.dtype))
    if config.healing.steps and learnt != stored:  # the learnt weights would be rounded twice
        remedy = "leave it at auto" if config.healing.precision != "auto" else "store it in bfloat16 or float32 before"
        raise InputError(
            f"quantize.healing.precision = {config.healing.precision}: {parent.path} is stored in {stored}, and would "
            f"learn numbers of {learnt} that cannot be stored so: {remedy}"
        )
