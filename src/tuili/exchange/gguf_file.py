"""Reads a GGUF file as the contents of a Hugging Face folder: configuration, tokenizer files and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tuili.errors import InputError
from tuili.exchange.gguf_config import Metadata, read_config
from tuili.exchange.gguf_header import GgufHeader, TensorPlace, read_header
from tuili.exchange.gguf_names import ROPE_FACTORS, from_gguf_rows, gguf_name
from tuili.exchange.gguf_templates import read_templates
from tuili.exchange.gguf_vocabulary import read_vocabulary
from tuili.exchange.numbers import Array, Kind
from tuili.exchange.weight_files import Weight
from tuili.store import DenseShape, dense_tensor_shapes

_KEPT: dict[str, tuple[Kind, str]] = {"F32": ("F32", "<f4"), "F16": ("F16", "<f2"), "BF16": ("BF16", "<u2")}
"""Formats that a folder stores unchanged; all others become float32, which holds their values exactly."""
READABLE = (
    *("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "TQ1_0", "TQ2_0", "MXFP4"),
    *("NVFP4", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"),
)
"""Quantised formats that the package `gguf` can convert to float32."""
MAX_ROPE_FACTORS = 4096


class GgufFile:
    """A sound GGUF file of a model that Tuili can run. Raises `InputError`, with a one-line message, for any other.

    config: the content of config.json. files: those of the tokenizer and of chat templates, by name. kinds: the number
    of tensors in each format.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.header = path, read_header(path)
        self.config: dict[str, Any] = read_config(path, self.header, self._rope_factors())
        self.files = read_vocabulary(path, self.header) | read_templates(Metadata(path, self.header.metadata))
        self.kinds = dict(Counter(place.kind for place in self.header.tensors.values()).most_common())

    @contextmanager
    def weights(self, shape: DenseShape) -> Iterator[list[Weight]]:
        """Yield the tensors of a network of this shape, with their names in the folder; they are readable in the block.

        Raises `InputError` if the file does not have exactly these tensors.
        """
        wanted = dense_tensor_shapes(shape)
        places = _checked(self.path, self.header, {gguf_name(name): size for name, size in wanted.items()})
        with self.path.open("rb") as file:
            yield [self._weight(file, name, places[gguf_name(name)], shape) for name in wanted]

    def _weight(self, file: BinaryIO, name: str, place: TensorPlace, shape: DenseShape) -> Weight:
        kind: Kind = _KEPT[place.kind][0] if place.kind in _KEPT else "F32"
        return Weight(name, place.shape, kind, lambda: from_gguf_rows(name, _read(self.path, file, name, place), shape))

    def _rope_factors(self) -> Array | None:
        place = self.header.tensors.get(ROPE_FACTORS)
        if place is None:
            return None
        if place.kind != "F32" or len(place.shape) != 1 or place.shape[0] > MAX_ROPE_FACTORS:
            raise InputError(f"{self.path} is damaged: {ROPE_FACTORS} must be a list of float32")
        with self.path.open("rb") as file:
            return _read(self.path, file, ROPE_FACTORS, place)


def _checked(path: Path, header: GgufHeader, wanted: dict[str, tuple[int, ...]]) -> dict[str, TensorPlace]:
    found = {name: place for name, place in header.tensors.items() if name != ROPE_FACTORS}
    if missing := sorted(wanted.keys() - found.keys()):
        raise InputError(f"{path} lacks tensor {missing[0]}: the file is incomplete")
    if unexpected := sorted(found.keys() - wanted.keys()):
        raise InputError(f"{path} has tensor {unexpected[0]}, which is not of its architecture: it is not supported")
    for name, place in found.items():
        if place.shape != wanted[name]:
            raise InputError(
                f"{path}: tensor {name} has the shape {list(place.shape)}, its metadata asks for {list(wanted[name])}"
            )
        if place.kind not in _KEPT and place.kind not in READABLE:
            raise InputError(f"{path}: tensor {name} has the number format {place.kind}, which cannot be read")
    return found


def _read(path: Path, file: BinaryIO, name: str, place: TensorPlace) -> Array:
    file.seek(place.begin)
    data = np.fromfile(file, np.uint8, place.end - place.begin)
    if data.size < place.end - place.begin:
        raise InputError(f"{path} became shorter while it was read")
    if place.kind in _KEPT:
        kept: Array = data.view(_KEPT[place.kind][1]).reshape(place.shape)
        return kept
    from gguf import GGMLQuantizationType, dequantize

    rows = data.reshape(*place.shape[:-1], -1)
    with np.errstate(all="ignore"):  # numbers that are not finite are refused on writing
        numbers: Array = dequantize(rows, GGMLQuantizationType[place.kind]).astype("<f4", copy=False)
    return numbers.reshape(place.shape)
