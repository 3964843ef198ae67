"""Gradients as packed whole numbers of 2, 3, 4 or 8 bits, by the native library.

What a message holds stands in `source/training/codec_calls.h`. What is lost by rounding can go into a moving average
that is added the next time (LoCo; Xie et al. 2024, arXiv 2407.04480). Who sends what to whom is left to the caller.

N: numbers.
"""

from __future__ import annotations

import ctypes
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tuili.errors import InputError, TuiliError
from tuili.native.library import Library, function
from tuili.native.rounding import Floats

CodeBits = Literal[2, 3, 4, 8]
BLOCK = 256
"""Numbers that share a scale."""
HEADER_BYTES = 16
FAULTS = {
    1: "it is {found} bytes long, and {count} numbers were expected of it: send it whole, for as many numbers",
    2: "it does not begin as a message of the codec does: both sides need the same Tuili",
}

_int, _pointer = ctypes.c_int32, ctypes.c_void_p


class CodecRecord(ctypes.Structure):
    """`struct CodecCall`: addresses of arrays, and sizes."""

    _fields_ = (
        *((name, _pointer) for name in ("number", "error", "message")),
        ("count", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("threads", _pointer),
        *((name, ctypes.c_float) for name in ("keep", "clip", "weight")),
        ("seed", ctypes.c_uint32),
        *((name, _int) for name in ("bits", "rotated", "add", "pad")),
    )


class MessageError(TuiliError):
    """Bytes that should be packed gradients are not, or of another number of them."""


def message_bytes(count: int, bits: CodeBits) -> int:
    """The bytes of a message of so many numbers: a header, 2 for each block's scale, `bits` for each 8 codes."""
    return HEADER_BYTES + 2 * -(-count // BLOCK) + bits * -(-count // 8)


class GradientCodec:
    """Encodes and decodes with one pool of threads, one call at a time. The interpreter's lock is given back.

    Results are the same bits for any number of threads and with every instruction set.
    """

    def __init__(self, library: Library, threads: int = 1) -> None:
        self._pool: int = function(library.short, "tuili_threads", _pointer, _int)(threads)
        self._calls = {name: function(library.long, f"tuili_{name}", _int, _pointer) for name in ("encode", "decode")}
        self._end = function(library.short, "tuili_threads_end", None, _pointer)
        self._lock = Lock()

    def close(self) -> None:
        """End the threads. The codec must not be used any more."""
        self._end(self._pool)

    def encode(
        self,
        number_N: Floats,
        bits: CodeBits,
        *,
        seed: int | None = None,
        clip: float = 1.0,
        error_N: Floats | None = None,
        keep: float = 0.0,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Numbers as a message of `message_bytes(N, bits)` bytes, in `out` where that is given.

        Of a block of 256, the number of the largest size stands for the least code, -2^(bits - 1). So a number errs by
        half of its scale at most, or by a whole one where it is of the other sign and nearly as large.
        seed: from 0 to 2^32 - 1; whole blocks are turned by random signs and a Hadamard matrix before they are rounded,
        which spreads a number that is much larger than its neighbours. clip: from 0.01 to 1; the least code stands for
        that share of the largest number, and what is beyond the codes is cut off, so that the others err less. error_N:
        is added to the numbers first, and then becomes `keep` times itself and 1 - `keep` times what was lost now.

        A block without a number above 1e-30 in size becomes zeros. One with a number that is not finite, or above 1e30,
        becomes NaN as a whole, so that all who decode it see it alike; its errors stay as they were.
        Raises `InputError` where an array has another kind, size or layout, bits are none of 2, 3, 4 and 8, or the seed
        or clip is out of range.
        """
        if bits not in (2, 3, 4, 8):
            raise InputError(f"bits = {bits}: the codec has 2, 3, 4 and 8")
        if seed is not None and not 0 <= seed < 2**32:
            raise InputError(f"seed = {seed}: use 0 to 2^32 - 1")
        if not 0.01 <= clip <= 1:
            raise InputError(f"clip = {clip}: use 0.01 to 1")
        size = message_bytes(number_N.size, bits)
        message = np.empty(size, np.uint8) if out is None else out
        _check("numbers", number_N, np.float32)
        _check("the message", message, np.uint8, size, written=True)
        if error_N is not None:
            _check("errors", error_N, np.float32, number_N.size, written=True)
        self._run(
            "encode",
            CodecRecord(
                number_N.ctypes.data,
                None if error_N is None else error_N.ctypes.data,
                message.ctypes.data,
                number_N.size,
                size,
                keep=keep,
                clip=clip,
                seed=seed or 0,
                bits=bits,
                rotated=seed is not None,
            ),
        )
        return message

    def decode(self, message: NDArray[np.uint8], number_N: Floats, *, add: bool = False, weight: float = 1.0) -> Floats:
        """Write the numbers of a message, times a weight, into an array, or add them to what is there. Returns it.

        Raises `MessageError` where the message is not whole or of another number of numbers, `InputError` where the
        array has another kind or layout.
        """
        _check("numbers", number_N, np.float32, written=True)
        _check("the message", message, np.uint8)
        record = CodecRecord(
            number_N.ctypes.data, None, message.ctypes.data, number_N.size, message.size, weight=weight, add=add
        )
        self._run("decode", record)
        return number_N

    def _run(self, name: str, record: CodecRecord) -> None:
        record.threads = self._pool
        with self._lock:
            fault = self._calls[name](ctypes.addressof(record))
        if fault:
            reason = FAULTS[fault].format(found=record.bytes, count=record.count)
            raise MessageError(f"a message of gradients cannot be read: {reason}")


def _check(
    what: str, array: NDArray[Any], kind: type[np.generic], size: int | None = None, *, written: bool = False
) -> None:
    """Raises `InputError` unless the library can use the memory of an array."""
    if array.dtype != kind or not array.flags.c_contiguous or (written and not array.flags.writeable):
        raise InputError(f"{what} of the codec: {array.dtype} {array.shape}, give contiguous {kind.__name__}")
    if size is not None and array.size != size:
        raise InputError(f"{what} of the codec: {array.size} in place of {size}")
