"""The tensors of a model as the native step reads them: by name, fused, packed, and kept alive.

Dimensions: H heads, D head size, S positions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuili.native.memory import Arena
from tuili.native.panels import Matrix, MatrixRecord, NumberFormat, Packer, pack
from tuili.native.records import HeadRecord, LayerRecord, ModelRecord
from tuili.native.rounding import Floats, bf16_of, mixing_of
from tuili.native.sizes import Sizes
from tuili.native.whole import SCALE_SUFFIX, Whole, pack_whole, value_of, whole_of

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


class Weights:
    """Tensors by their names in the model's folder: float32, bf16 as uint16, or whole numbers, which are packed
    unchanged if the format has whole numbers. Each access may read a tensor from its file.

    foreign: whether the model was not trained in whole numbers, as in `pack`. packer: as in `pack`.
    Results are pointers and records into copies, which live as long as the list `kept`.
    """

    def __init__(
        self, tensors: Mapping[str, NDArray[Any]], number_format: NumberFormat, packer: Packer | None = None
    ) -> None:
        self.tensors, self.format, self.kept, self._packer = tensors, number_format, list[object](), packer
        self._arena, self.matrix_bytes, self.foreign = Arena(), 0, False

    def numbers(self, name: str) -> Floats:
        """A tensor as float32."""
        if name + SCALE_SUFFIX in self.tensors:
            return value_of(whole := whole_of(self.tensors, name), self._mixing(whole))
        tensor = self.tensors[name]
        if tensor.dtype == np.uint16:
            return (tensor.astype(np.uint32) << 16).view(np.float32)
        return np.ascontiguousarray(tensor, np.float32)

    def norm(self, name: str, scale: float = 1.0) -> Floats:
        """The gain of a norm, times the square root of its size and `scale`."""
        gain = self.numbers(name)
        return gain * np.float32(gain.size**0.5) * np.float32(scale)

    def bias(self, *names: str) -> int | None:
        """The address of the concatenated biases of some linear layers; None if they have none."""
        if names[0] not in self.tensors:
            return None
        return self.keep(np.concatenate([self.numbers(name) for name in names]))

    def keep(self, array: NDArray[Any]) -> int:
        """The address of a copy of an array."""
        copy = np.array(array, order="C")
        self.kept.append(copy)
        return copy.ctypes.data

    def matrix(self, *names: str) -> MatrixRecord:
        """The matrices of some linear layers, packed as one; those stored as factors form a chain."""
        parts = list[MatrixRecord]()
        for as_one, group in groupby(names, lambda name: name in self.tensors):
            some = tuple(group)
            parts += [self._joined(*some)] if as_one else map(self._product, some)
        record = parts.pop()
        while parts:
            parts[-1].next = self.records([record])
            record = parts.pop()
        return record

    def _joined(self, *names: str) -> MatrixRecord:
        if self.whole:
            return self._packed_whole(whole_of(self.tensors, *names))
        parts = [self.numbers(name) for name in names]
        return self.packed(np.concatenate(parts) if len(parts) > 1 else parts[0], self.format)

    def _product(self, name: str) -> MatrixRecord:
        """A matrix that is stored as two factors."""
        inner, outer = (self._joined(f"{name.removesuffix('weight')}{part}.weight") for part in ("inner", "outer"))
        outer.inner = self.records([inner])
        return outer

    def head(self, tokens: NDArray[np.int32] | None = None) -> HeadRecord:
        """The packed head that computes the logits of all tokens or of some; it may be tied to the embedding. With
        int4, a foreign model's head is int8, because it loses the most."""
        rows, kept = (slice(None), None) if tokens is None else (tokens, self.keep(tokens))
        if self.whole:
            whole = whole_of(self.tensors, self._head)
            return HeadRecord(self._packed_whole(Whole(whole.number[rows], whole.scale[rows])), kept)
        number_format = "int8" if self.foreign and self.format == "int4" else self.format
        return HeadRecord(self.packed(self.numbers(self._head)[rows], number_format), kept)

    def packed(self, weight_NK: Floats, number_format: NumberFormat) -> MatrixRecord:
        """Packs a matrix."""
        return self._kept(pack(weight_NK, number_format, self._arena.take, foreign=self.foreign, packer=self._packer))

    def _kept(self, matrix: Matrix) -> MatrixRecord:
        self.kept.append(matrix)
        self.matrix_bytes += matrix.nbytes
        return matrix.record

    @property
    def whole(self) -> bool:
        """Whether matrices are whole numbers and stay so."""
        return self.format in ("int8", "int4") and self._head + SCALE_SUFFIX in self.tensors

    @property
    def _head(self) -> str:
        return HEAD if HEAD in self.tensors else EMBEDDING

    def _mixing(self, whole: Whole) -> int:
        """The number of inputs in a block that was mixed before rounding to 8 bits; 0 for none."""
        return mixing_of(whole.number.shape[-1]) if self.foreign and whole.format == "int8" else 0

    def _packed_whole(self, whole: Whole) -> MatrixRecord:
        return self._kept(pack_whole(whole, self._arena.take, self._mixing(whole)))

    def matrices(self, name: str) -> int:
        """The address of the records of a tensor's matrices, one for each expert; for factors, of the last factor's."""
        names = [name] if name in self.tensors else [f"{name}.{part}" for part in ("inner", "core", "outer")]
        factors = [self._each(factor) for factor in names if factor in self.tensors]
        experts, address = max(map(len, factors)), None
        for factor in factors:
            for record in factor:
                record.inner = address
            address = self.records(factor * (experts // len(factor)))
        assert address is not None
        return address

    def _each(self, name: str) -> list[MatrixRecord]:
        """The matrices of all experts, or the one matrix that they share."""
        if not self.whole:
            stack = self.numbers(name)
            return [self.packed(weight_NK, self.format) for weight_NK in stack.reshape(-1, *stack.shape[-2:])]
        whole = (part.reshape(-1, *part.shape[-2:]) for part in whole_of(self.tensors, name))
        return [self._packed_whole(Whole(*parts)) for parts in zip(*whole, strict=True)]

    def records(self, records: Sequence[ctypes.Structure]) -> int:
        """The address of an array of records."""
        array = (type(records[0]) * len(records))(*records)
        self.kept.append(array)
        return ctypes.addressof(array)


def model_record(
    sizes: Sizes, weights: Weights, layers: Sequence[LayerRecord], tied: bool = False, **more: Any
) -> ModelRecord:
    """The record of a model with these layers. tied: the embedding is read from the packed head, and stored nowhere
    else. more: the fields that only some models have."""
    if not tied:
        embedding_VM = weights.tensors[EMBEDDING]
        if embedding_VM.dtype == np.int8:
            embedding_VM = weights.numbers(EMBEDDING)
        if weights.foreign and weights.format != "fp32" and embedding_VM.dtype != np.uint16:
            embedding_VM = bf16_of(embedding_VM)
        more |= {"embedding": weights.keep(embedding_VM), "embedding_is_bf16": embedding_VM.dtype == np.uint16}
    return ModelRecord(
        sizes=sizes.record,
        layers=weights.records(layers),
        depths=weights.keep(np.array(sizes.exit_layers, np.int32)),
        final_norm=weights.keep(weights.norm("model.norm.weight")),
        heads=(HeadRecord * 2)(*[weights.head()] * 2),
        **more,
    )


def rotary_angles(positions: int, head_size: int, base: float) -> Floats:
    """`angles` for the frequencies that fall from 1 to nearly 1 / `base`."""
    exponent = np.arange(0, head_size, 2, dtype=np.float32) / np.float32(head_size)
    return angles(positions, (np.float64(base) ** -exponent.astype(np.float64)).astype(np.float32))


def angles(positions: int, frequency: Floats, factor: float = 1.0) -> Floats:
    """[S, D]: for each position, the cosines of its D / 2 angles, then their sines, all times a factor."""
    angle = np.arange(positions, dtype=np.float32)[:, None] * frequency
    waves = np.concatenate([np.cos(angle, dtype=np.float64), np.sin(angle, dtype=np.float64)], axis=1)
    return (waves * factor).astype(np.float32)
