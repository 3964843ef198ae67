"""GGUF files for tests: of tiny models, and changed in their bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.store.dense_folders import save_dense
from tuili.exchange.gguf_writing import tensor_kinds, write_gguf
from tuili.store import ImportedModel, dense_tensor_shapes, open_model


def opened(folder: Path) -> ImportedModel:
    model = open_model(folder)
    assert isinstance(model, ImportedModel)
    return model


def save_gguf(folder: Path, type_name: str = "f32", **kind: Any) -> Path:
    """A tiny model as a file, beside its folder `model`, which is made where there is none."""
    source = folder / "model"
    if not source.is_dir():
        save_dense(source, **({"family": "llama", "num_hidden_layers": 2} | kind))
    model, file = opened(source), folder / "model.gguf"
    kinds = tensor_kinds(model, type_name, dense_tensor_shapes(model.shape))
    write_gguf(file, model, type_name, kinds, lambda what, done, total: None)
    return file


Writer = gguf.GGUFWriter
Tensor = tuple[np.ndarray[Any, Any], gguf.GGMLQuantizationType]


def rewrite(
    file: Path,
    metadata: dict[str, Any] | None = None,
    tensors: Callable[[dict[str, Tensor]], None] = lambda tensors: None,
) -> Path:
    """Write a file again with other metadata, where None removes an entry, and with tensors that a function changed."""
    reader = gguf.GGUFReader(file)
    fields = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    changes = metadata or {}
    values = {name: (field.contents(), field.types) for name, field in fields.items()}
    data: dict[str, Tensor] = {t.name: (np.array(t.data), t.tensor_type) for t in reader.tensors}
    tensors(data)
    del reader
    writer = Writer(file, values.pop("general.architecture")[0])
    for name, (value, types) in values.items():
        if name not in changes:
            sub_type = types[-1] if types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, value, types[0], sub_type)
    for name, value in changes.items():
        if value is not None:
            kind = gguf.GGUFValueType.get_type(value)
            writer.add_key_value(name, value, kind)
    for name, (array, number) in data.items():
        writer.add_tensor(name, array, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def patch(file: Path, place: int, layout: str, value: int) -> Path:
    """Write a number over the bytes of a file."""
    data = bytearray(file.read_bytes())
    struct.pack_into(layout, data, place, value)
    file.write_bytes(data)
    return file


def place_of(file: Path, text: str) -> int:
    """Where the bytes after a text of the header begin."""
    written = struct.pack("<Q", len(text)) + text.encode()
    return file.read_bytes().index(written) + len(written)
