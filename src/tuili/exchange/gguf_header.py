"""Reads the header of a GGUF file, and checks every length before allocating memory for it.

The layout follows https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: magic, version, counts, metadata, places
of tensors, padding, tensors. The reader in the package `gguf` trusts all lengths and is slow for vocabularies; only its
tables of number formats are used. The neighbouring modules interpret metadata and tensors.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from tuili.errors import InputError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_HEADER_BYTES = 256 << 20
MAX_TENSORS, MAX_ENTRIES = 100_000, 10_000
MAX_DIMENSIONS, MAX_NAME = 4, 80
DEFAULT_ALIGNMENT = 32
_PICKLE_OR_ZIP = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_SCALARS = {
    0: "<u1",
    1: "<i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    7: "?",
    10: "<u8",
    11: "<i8",
    12: "<f8",
}
_STRING, _ARRAY = 8, 9

Value: TypeAlias = bool | int | float | str | list[Any]


@dataclass(frozen=True)
class TensorPlace:
    """A tensor in a GGUF file. kind: its number format, as ggml names it. shape: rows first. begin, end: its bytes."""

    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class GgufHeader:
    """The part of a GGUF file before its tensors."""

    metadata: dict[str, Value]
    tensors: dict[str, TensorPlace]


def read_header(path: Path) -> GgufHeader:
    """The header of a file. Raises `InputError`, in one line, if it is not a sound GGUF file of this byte order."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _read(path, _Bytes(path, file, size), size)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


class _Bytes:
    """The bytes of a header in order; a request for more than the file has, or a header may have, is refused."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._left = path, file, min(size, MAX_HEADER_BYTES)
        self._whole = size <= MAX_HEADER_BYTES

    def check(self, count: int) -> None:
        if count > self._left:
            if self._whole:
                raise InputError(f"{self._path} is damaged or truncated: its header goes on beyond the file's end")
            raise InputError(f"{self._path} is damaged: its header claims more than {MAX_HEADER_BYTES:,} bytes")

    def take(self, count: int) -> bytes:
        self.check(count)
        data = self._file.read(count)
        if len(data) < count:
            raise InputError(f"{self._path} became shorter while it was read")
        self._left -= count
        return data

    def number(self, layout: str) -> int:
        (value,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(value)

    def text(self) -> str:
        data = self.take(self.number("<Q"))
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{self._path} is damaged: a text in its header is not UTF-8") from error

    @property
    def position(self) -> int:
        return self._file.tell()


def _read(path: Path, data: _Bytes, size: int) -> GgufHeader:
    _check_beginning(path, data, size)
    tensors, entries = data.number("<Q"), data.number("<Q")
    if tensors > MAX_TENSORS or entries > MAX_ENTRIES:
        raise InputError(f"{path} is damaged: its header claims {tensors:,} tensors and {entries:,} entries")
    metadata = dict[str, Value]()
    for _ in range(entries):
        key = data.text()
        if key in metadata:
            raise InputError(f"{path} is damaged: its header has {key!r} twice")
        metadata[key] = _value(path, key, data)
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise InputError(f"{path} is damaged: general.alignment is {alignment!r}, it must be a power of two")
    described = [_tensor(path, data) for _ in range(tensors)]
    begin = -(-data.position // alignment) * alignment
    places = dict[str, TensorPlace]()
    for name, kind, shape, offset, count in described:
        if name in places:
            raise InputError(f"{path} is damaged: tensor {name} stands in it twice")
        if offset % alignment:
            raise InputError(f"{path} is damaged: tensor {name} begins at no multiple of {alignment} bytes")
        places[name] = TensorPlace(kind, shape, begin + offset, begin + offset + count)
        if places[name].end > size:
            raise InputError(f"{path} is truncated: tensor {name} ends at byte {places[name].end:,} of {size:,}")
    by_place = sorted((place.begin, place.end, name) for name, place in places.items())
    for (_, end, name), (after, _, other) in pairwise(by_place):
        if after < end:
            raise InputError(f"{path} is damaged: tensors {name} and {other} stand in the same bytes")
    return GgufHeader(metadata, places)


def _check_beginning(path: Path, data: _Bytes, size: int) -> None:
    magic = data.take(4) if size >= 4 else b""
    if magic != MAGIC:
        if magic.startswith(_PICKLE_OR_ZIP):
            raise InputError(f"{path} is a pickle or zip, which can hold code: it is not opened")
        raise InputError(f"{path} is no GGUF file: give a GGUF file, a model folder or a hub name (owner/name)")
    version = data.number("<I")
    if version & 0xFFFF == 0:
        raise InputError(f"{path} is a big-endian GGUF file: use the little-endian one")
    if version not in VERSIONS:
        raise InputError(f"{path} has version {version} of GGUF: only {VERSIONS[0]} and {VERSIONS[1]} can be read")


def _value(path: Path, key: str, data: _Bytes) -> Value:
    kind = data.number("<I")
    if kind == _STRING:
        return data.text()
    if kind in _SCALARS:
        value = np.frombuffer(data.take(np.dtype(_SCALARS[kind]).itemsize), _SCALARS[kind])[0].item()
        assert isinstance(value, bool | int | float)
        return value
    if kind != _ARRAY:
        raise InputError(f"{path} is damaged: {key!r} in its header has the type {kind}, which does not exist")
    inner, count = data.number("<I"), data.number("<Q")
    if inner == _STRING:
        data.check(8 * count)  # each text takes at least the 8 bytes of its length
        return [data.text() for _ in range(count)]
    if inner not in _SCALARS:
        raise InputError(f"{path} is damaged: {key!r} in its header is a list of type {inner}, which cannot be read")
    values: list[Any] = np.frombuffer(data.take(count * np.dtype(_SCALARS[inner]).itemsize), _SCALARS[inner]).tolist()
    return values


def _tensor(path: Path, data: _Bytes) -> tuple[str, str, tuple[int, ...], int, int]:
    """The name, kind, shape, offset and size in bytes of the next tensor."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    name, dimensions = data.text(), data.number("<I")
    if not name.isprintable() or len(name) > MAX_NAME:
        raise InputError(f"{path} is damaged: a tensor is called {name[:MAX_NAME]!r}")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise InputError(f"{path} is damaged: tensor {name} has {dimensions} dimensions")
    shape = tuple(reversed([data.number("<Q") for _ in range(dimensions)]))
    number, offset = data.number("<I"), data.number("<Q")
    if min(shape) < 1 or prod(shape) >= 1 << 48:
        raise InputError(f"{path} is damaged: tensor {name} has the shape {list(shape)}")
    if number not in set(GGMLQuantizationType):
        raise InputError(f"{path}: tensor {name} has the number format {number}, which is not known")
    kind = GGMLQuantizationType(number)
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if shape[-1] % block:
        raise InputError(f"{path} is damaged: tensor {name} has rows of {shape[-1]}, no multiple of {block}")
    return name, kind.name, shape, offset, prod(shape) // block * block_bytes
