"""Weight files: check that one is sound, and read its contents as numpy arrays.

The layout follows https://huggingface.co/docs/safetensors: eight bytes of header length, a JSON header with the offsets
of every tensor, then the tensors without gaps.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors

from tuili.errors import ModelFolderError

MAX_HEADER_BYTES = 100_000_000
_PICKLE_OR_ZIP = re.compile(rb"\x80[\x00-\x05]|PK\x03\x04")
_NUMPY_TYPES = {
    "BOOL": "?",
    **{f"{kind}{bits}": f"<{kind.lower()}{bits // 8}" for kind in "IU" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}


@dataclass(frozen=True)
class TensorPlace:
    """A tensor in a weight file. kind: its number format, as safetensors names it. begin, end: byte offsets."""

    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def check_safetensors(path: Path) -> None:
    """Raise `ModelFolderError` if the size or header of a weight file cannot be right. Reads no tensor."""
    read_header(path)


def read_header(path: Path) -> dict[str, TensorPlace]:
    """The place of each tensor in a weight file. Raises `ModelFolderError` as `check_safetensors` does."""
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > MAX_HEADER_BYTES or 8 + length > size:
            if _PICKLE_OR_ZIP.match(prefix):  # checked only now: the length of a sound header may look like this
                raise ModelFolderError(f"{path} is a pickle or zip behind a safetensors name: it is not opened")
            raise ModelFolderError(f"{path} is damaged: {size} bytes do not hold a safetensors header")
        header = file.read(length)
    try:
        entries = {name: entry for name, entry in json.loads(header).items() if name != "__metadata__"}
        places = {name: _place(entry, 8 + length) for name, entry in entries.items()}
        described = max((place.end for place in places.values()), default=8 + length)
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise ModelFolderError(f"{path} is damaged: its safetensors header is not readable") from error
    if described != size:
        kind = "truncated" if size < described else "damaged"
        raise ModelFolderError(f"{path} is {kind}: its header describes {described} bytes, the file has {size}")
    return places


def _place(entry: dict[str, Any], start: int) -> TensorPlace:
    """The place of a tensor, from its header entry. start: the offset at which the tensors begin."""
    kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    if not isinstance(kind, str) or {type(number) for number in (*shape, begin, end)} != {int}:
        raise TypeError("a number format, a shape or a place that is none")
    if min(*shape, begin, end - begin) < 0:
        raise ValueError("a shape or a place below zero")
    return TensorPlace(kind, shape, start + begin, start + end)


def read_metadata(path: Path) -> dict[str, str]:
    """The text metadata of a weight file. Raises `SafetensorError` if it is not a safetensors file."""
    with safetensors.safe_open(path, "np") as file:
        return file.metadata() or {}


def read_tensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of a weight file by name, each in its own array; bfloat16 becomes float32, which holds it exactly.

    Raises `SafetensorError` if it is not a safetensors file, and `ValueError` for a number format that numpy lacks.
    """
    arrays, library = {}, cast(Any, safetensors)  # it has no type hints
    for name, tensor in library.deserialize(path.read_bytes()):
        kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
        if kind == "BF16":
            array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        elif kind in _NUMPY_TYPES:
            array = np.frombuffer(data, _NUMPY_TYPES[kind]).copy()
        else:
            raise ValueError(f"tensor {name} has the number format {kind}, which cannot be read")
        arrays[name] = array.reshape(shape)
    return arrays
