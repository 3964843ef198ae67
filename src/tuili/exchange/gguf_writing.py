"""Writes an imported model as a GGUF file that llama.cpp can read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuili.exchange.gguf_config import add_config, rope_factors
from tuili.exchange.gguf_names import ROPE_FACTORS, gguf_name, to_gguf_rows
from tuili.exchange.gguf_templates import add_templates
from tuili.exchange.gguf_vocabulary import add_vocabulary
from tuili.exchange.importing import folder_weights
from tuili.exchange.numbers import NUMPY, Array, from_float32, to_float32
from tuili.exchange.weight_files import Report
from tuili.store import ImportedModel

if TYPE_CHECKING:
    from gguf import GGUFWriter

GGUF_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_0", "q5_1", "q4_0", "q4_1")
"""The types available for matrices. Vectors stay float32, as llama.cpp requires."""
_FILE_TYPES = {"f32": "ALL_F32"}
_EMBEDDING_KIND = "Q8_0"
"""The type of the embedding and the head if other matrices have fewer bits, from which these suffer too much."""


def tensor_kinds(model: ImportedModel, type_name: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """The number format of each tensor, by its name in the folder.

    A tensor whose rows are not a whole number of blocks becomes F16, as in llama.cpp's own converter.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    kinds = dict[str, str]()
    for name, shape in shapes.items():
        kind = type_name.upper()
        if name in ("model.embed_tokens.weight", "lm_head.weight") and kind.startswith(("Q4", "Q5")):
            kind = _EMBEDDING_KIND
        if len(shape) == 1:
            kind = "F32"
        elif shape[-1] % GGML_QUANT_SIZES[GGMLQuantizationType[kind]][0]:
            kind = "F16"
        kinds[name] = kind
    return kinds


def quantized(name: str, array: Array, kind: str) -> Array:
    """Float32 numbers as stored in a file. Raises `InputError` if one is too large for float16."""
    from gguf import GGMLQuantizationType, quantize

    if kind == "F16":
        return from_float32(name, array, "F16")
    packed: Array = quantize(array, GGMLQuantizationType[kind])
    return packed


def rounded(name: str, array: Array, kind: str) -> Array:
    """Float32 numbers as they are read back from a file."""
    from gguf import GGMLQuantizationType, dequantize

    read: Array = dequantize(quantized(name, array, kind), GGMLQuantizationType[kind]).reshape(array.shape)
    return read.astype("<f4", copy=False)


def write_gguf(path: Path, model: ImportedModel, type_name: str, kinds: Mapping[str, str], report: Report) -> None:
    """Write a file. Raises `InputError` if llama.cpp does not support the network or the tokenizer."""
    from gguf import GGUFWriter, LlamaFileType

    with closing(GGUFWriter(path, model.shape.family)) as writer, folder_weights(model.path, model.shape) as weights:
        writer.add_type("model")
        writer.add_name(model.path.resolve().name)
        writer.add_quantization_version(2)
        writer.add_file_type(LlamaFileType[_FILE_TYPES.get(type_name, f"MOSTLY_{type_name.upper()}")])
        add_config(writer, model.path, model.shape)
        add_vocabulary(writer, model)
        add_templates(writer, model)
        factors = _factors(model)
        if factors is not None:
            _add_place(writer, ROPE_FACTORS, factors.shape, "F32")
        for weight in weights:
            _add_place(writer, gguf_name(weight.name), weight.shape, kinds[weight.name])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if factors is not None:
            writer.write_tensor_data(factors)
        for done, weight in enumerate(weights, start=1):  # one by one: the model is never in memory as a whole
            array = to_gguf_rows(weight.name, to_float32(weight.load()), model.shape)
            writer.write_tensor_data(quantized(weight.name, array, kinds[weight.name]))
            report("weights", done, len(weights))


def _add_place(writer: GGUFWriter, name: str, shape: tuple[int, ...], kind: str) -> None:
    """Declare a tensor whose data follows later."""
    from gguf import GGMLQuantizationType
    from gguf.quants import quant_shape_to_byte_shape

    number = GGMLQuantizationType[kind]
    stored, dtype = quant_shape_to_byte_shape(shape, number), np.dtype(np.uint8)
    count = prod(stored)
    if kind in ("F32", "F16"):
        stored, dtype = shape, np.dtype(NUMPY[kind])
    writer.add_tensor_info(name, stored, dtype, count, number)


def _factors(model: ImportedModel) -> Any:
    shape = model.shape
    if shape.rope_scaling is None or shape.rope_scaling.kind != "llama3":
        return None
    return rope_factors(shape.head_dim, shape.rope_theta, shape.rope_scaling)
