"""Gradients as packed whole numbers of 2, 3, 4 or 8 bits, by the native library.

`source/training/codec_calls.h` describes the message format. A moving average of the rounding errors can be added to
the next gradients (LoCo; Xie et al. 2024, arXiv 2407.04480). The caller decides who sends what to whom.

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
"""The number of gradients that share a scale."""
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
    """Bytes that are not packed gradients, or not of the expected number of gradients."""


def message_bytes(count: int, bits: CodeBits) -> int:
    """The bytes of a message of `count` numbers: a header, 2 for each block's scale, `bits` for every 8 codes."""
    return HEADER_BYTES + 2 * -(-count // BLOCK) + bits * -(-count // 8)


class GradientCodec:
    """Encodes and decodes with one thread pool, one call at a time. Calls release the interpreter's lock.

    Results are bit-identical for any number of threads and every instruction set.
    """

    def __init__(self, library: Library, threads: int = 1) -> None:
        self._pool: int = function(library.short, "tuili_threads", _pointer, _int)(threads)
        self._calls = {name: function(library.long, f"tuili_{name}", _int, _pointer) for name in ("encode", "decode")}
        self._end = function(library.short, "tuili_threads_end", None, _pointer)
        self._lock = Lock()

    def close(self) -> None:
        """End the threads. The codec must not be used afterwards."""
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
        """Encode numbers as a message of `message_bytes(N, bits)` bytes, in `out` if given.

        In each block of 256, the number of largest absolute value gets the lowest code, -2^(bits - 1). So a number's
        error is at most half of the scale, or a whole scale if the number has the other sign and is nearly as large.
        seed: from 0 to 2^32 - 1; random signs and a Hadamard matrix rotate whole blocks before rounding, which spreads
        outliers over their neighbours. clip: from 0.01 to 1; the lowest code stands for this share of the largest
        number, and numbers beyond the range of codes are clipped, so that the others have smaller errors. error_N: is
        added to the numbers first, and then becomes `keep` times itself plus 1 - `keep` times the new rounding errors.

        A block without an absolute value above 1e-30 becomes zeros. A block with a number that is not finite, or above
        1e30, becomes NaN as a whole, so that every decoder sees the same; its errors stay unchanged.
        Raises `InputError` if an array has the wrong kind, size or layout, `bits` is not 2, 3, 4 or 8, or `seed` or
        `clip` is out of range.
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
        """Write the numbers of a message, times a weight, into an array, or add them to its content. Returns the array.

        Raises `MessageError` if the message is incomplete or holds a different number of numbers, `InputError` if the
        array has the wrong kind or layout.
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
