"""Structs in Thrift's compact protocol, as Parquet's footers have them: read, changed and written again.

Only so that what a file says of itself can be made a lie. The page is
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12

Struct = dict[int, tuple[int, Any]]
"""The type and the value of each field by its number. A list is its elements' type and they themselves."""


def read_struct(data: bytes, place: int = 0) -> tuple[Struct, int]:
    """A struct, and the place behind it."""
    fields, number = Struct(), 0
    while head := data[place]:
        place += 1
        kind, step = head & 15, head >> 4
        if step:
            number += step
        else:
            number, place = _signed(data, place)
        fields[number], place = _read(data, place, kind)
    return fields, place + 1


def write_struct(fields: Struct) -> bytes:
    """The bytes of a struct."""
    parts, last = list[bytes](), 0
    for number, (kind, value) in sorted(fields.items()):
        step = number - last
        parts.append(bytes([step << 4 | kind]) if 0 < step < 16 else bytes([kind]) + _zigzag(number))
        parts.append(_write(kind, value))
        last = number
    return b"".join(parts) + b"\0"


def _read(data: bytes, place: int, kind: int) -> tuple[tuple[int, Any], int]:
    value: Any
    if kind in (TRUE, FALSE):
        value = None
    elif kind == BYTE:
        value, place = data[place : place + 1], place + 1
    elif kind == DOUBLE:
        value, place = data[place : place + 8], place + 8
    elif kind == BINARY:
        size, place = _unsigned(data, place)
        value, place = data[place : place + size], place + size
    elif kind in (LIST, SET):
        value, place = _read_list(data, place)
    elif kind == STRUCT:
        value, place = read_struct(data, place)
    elif kind == MAP:
        raise ValueError("Parquet has no maps")
    else:
        value, place = _signed(data, place)
    return (kind, value), place


def _read_list(data: bytes, place: int) -> tuple[tuple[int, list[Any]], int]:
    kind, size = data[place] & 15, data[place] >> 4
    place += 1
    if size == 15:
        size, place = _unsigned(data, place)
    elements = list[Any]()
    for _ in range(size):
        if kind in (TRUE, FALSE):
            element, place = data[place : place + 1], place + 1
        else:
            (_, element), place = _read(data, place, kind)
        elements.append(element)
    return (kind, elements), place


def _write(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return value or b""
    if kind in (BYTE, DOUBLE):
        return bytes(value)
    if kind == BINARY:
        return _varint(len(value)) + bytes(value)
    if kind in (LIST, SET):
        of, elements = value
        size = len(elements)
        head = bytes([size << 4 | of]) if size < 15 else bytes([0xF0 | of]) + _varint(size)
        return head + b"".join(_write(of, element) for element in elements)
    return write_struct(value) if kind == STRUCT else _zigzag(value)


def _unsigned(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        shift, place = shift + 7, place + 1
        if data[place - 1] < 128:
            return value, place


def _signed(data: bytes, place: int) -> tuple[int, int]:
    value, place = _unsigned(data, place)
    return (value >> 1) ^ -(value & 1), place


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _zigzag(value: int) -> bytes:
    return _varint((value << 1) ^ (value >> 63))
