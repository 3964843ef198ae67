"""Packed gradients in plain numpy, as docs/distributed.md tells of them.

N: numbers, B: blocks, X: numbers of a block.
"""

from __future__ import annotations

import struct

import numpy as np

from tests.native.twins import mixed

BLOCK = 256
LEAST, MOST = np.float32(1e-30), np.float32(1e30)
MARK = 0x6754


def encode(
    number_N: np.ndarray,
    bits: int,
    seed: int | None = None,
    error_N: np.ndarray | None = None,
    keep: float = 0.0,
    clip: float = 1.0,
) -> tuple[bytes, np.ndarray | None]:
    """A message, and the errors behind it."""
    given_N = number_N if error_N is None else number_N + error_N
    scales, codes = [], []
    for block, begin in enumerate(range(0, number_N.size, BLOCK)):
        x_X = given_N[begin : begin + BLOCK]
        is_sound = np.abs(x_X).max() <= MOST
        if is_rotated(seed, x_X.size):
            x_X = mixed((signs(seed, block) * (x_X * np.float32(1 / 16)))[None], BLOCK)[0]
        scale = scale_of(x_X, bits, clip) if is_sound else np.float32(np.nan)
        scales.append(np.uint32(scale.view(np.uint32) >> 16).astype("<u2").tobytes())
        codes.append(packed(codes_of(x_X, scale, bits), bits))
    header = struct.pack("<HBBIq", MARK, bits, seed is not None, seed or 0, number_N.size)
    message = header + b"".join(scales) + b"".join(codes)
    if error_N is None:
        return message, None
    decoded_N = decode(message)
    with np.errstate(invalid="ignore"):
        after_N = np.float32(keep) * error_N + (np.float32(1) - np.float32(keep)) * (given_N - decoded_N)
    return message, np.where(np.isnan(decoded_N), error_N, after_N)


def decode(message: bytes, weight: float = 1.0) -> np.ndarray:
    """The numbers of a message, times a weight."""
    _, bits, rotated, seed, count = struct.unpack_from("<HBBIq", message)
    blocks = -(-count // BLOCK)
    half_B = np.frombuffer(message, "<u2", blocks, 16).astype(np.uint32)
    scale_B = (half_B << 16).view(np.float32) * np.float32(weight)
    place, number_N = 16 + 2 * blocks, np.empty(count, np.float32)
    for block, begin in enumerate(range(0, count, BLOCK)):
        size = min(BLOCK, count - begin)
        bytes_of_block = bits * -(-size // 8)
        code_X = unpacked(message[place : place + bytes_of_block], bits)[:size]
        x_X = code_X.astype(np.float32) * scale_B[block]
        if is_rotated(seed if rotated else None, size):
            x_X = mixed(x_X[None], BLOCK)[0] * np.float32(1 / 16) * signs(seed, block)
        number_N[begin : begin + size], place = x_X, place + bytes_of_block
    return number_N


def is_rotated(seed: int | None, size: int) -> bool:
    return seed is not None and size == BLOCK


def scale_of(x_X: np.ndarray, bits: int, clip: float) -> np.float32:
    size = np.abs(x_X).max()
    if size < LEAST:
        return np.float32(0)
    scale = (size if size in x_X else -size) / np.float32(-(2 ** (bits - 1))) * np.float32(clip)
    return (scale.view(np.uint32) + np.uint32(0xFFFF) & np.uint32(0xFFFF0000)).view(np.float32)


def codes_of(x_X: np.ndarray, scale: np.float32, bits: int) -> np.ndarray:
    if scale == 0 or np.isnan(scale):
        return np.zeros(x_X.size, np.int64)
    half = 2 ** (bits - 1)
    return np.clip(np.rint(x_X * (np.float32(1) / scale)), -half, half - 1).astype(np.int64)


def packed(code_X: np.ndarray, bits: int) -> bytes:
    """Column c of eight rows has the codes c, C + c, ... from its lowest bits on; its bytes stand C apart."""
    columns = -(-code_X.size // 8)
    row_8C = np.pad(code_X, (0, 8 * columns - code_X.size)).reshape(8, columns) & (2**bits - 1)
    word_C = [sum(int(code) << bits * row for row, code in enumerate(column)) for column in row_8C.T]
    return b"".join(bytes(word >> 8 * plane & 0xFF for word in word_C) for plane in range(bits))


def unpacked(data: bytes, bits: int) -> np.ndarray:
    columns, half = len(data) // bits, 2 ** (bits - 1)
    word_C = [sum(data[plane * columns + c] << 8 * plane for plane in range(bits)) for c in range(columns)]
    row_8C = [[(word >> bits * row & 2 * half - 1) for word in word_C] for row in range(8)]
    code_X = np.array(row_8C, np.int64).reshape(-1)
    return np.where(code_X < half, code_X, code_X - 2 * half)


def signs(seed: int, block: int) -> np.ndarray:
    """256 signs by four numbers of SplitMix64."""
    bits = []
    for word in range(4 * block, 4 * block + 4):
        z = (seed + (word + 1) * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        z ^= z >> 31
        bits += [z >> i & 1 for i in range(64)]
    return np.where(np.array(bits), np.float32(-1), np.float32(1))
