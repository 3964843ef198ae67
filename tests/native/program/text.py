"""What the C++ program is asked of texts: words, hashes of runs, what repeats, and least products."""

from __future__ import annotations

import ctypes

import numpy as np

from tests.native.program.golden import Golden
from tuili.data.pipeline.characters import basic_classes
from tuili.data.pipeline.kernels import NumpyKernels
from tuili.native.text import ScanRecord

SIGNS = "ab Z1_.\n,他好カ한\u00ad\u200b\U00020001\U000e0001\U0001f600'\u0301 \t"
DRAWN, SECRET = 500, 12345


def text(golden: Golden) -> None:
    twin, draw = NumpyKernels(basic_classes()), np.random.default_rng(9)
    signs = np.array([*map(ord, SIGNS), 0x10FFFF, 0xF0000, 0xFFFF], np.uint32)
    for count in (0, 1, DRAWN):
        code = draw.choice(signs, count)
        wanted = twin.scan(code)
        shown, shown_class = np.zeros(count, np.uint32), np.zeros(count, np.uint8)
        start, end, hashes = np.zeros(count, np.intp), np.zeros(count, np.intp), np.zeros(count, np.uint64)
        arrays, table = (shown, shown_class, start, end, hashes), basic_classes()
        record = ScanRecord(code.ctypes.data, table.ctypes.data, count, *(array.ctypes.data for array in arrays))
        golden.add(record, code, table, arrays)
        golden.call("scan", ctypes.addressof(record))
        for name, array, twins in zip(ScanRecord._fields_[3:8], arrays, (wanted[:2] + wanted[3:]), strict=True):
            kind = f"i{array.itemsize}" if array.itemsize > 1 else "u1"
            golden.expect(f"text/{name[0]}", array.view(kind)[: len(twins)], np.ascontiguousarray(twins).view(kind))
        counts = np.ctypeslib.as_array(record.class_count)
        golden.expect("text/class_count", counts, np.array(wanted.class_counts))
    for size in (1, DRAWN):
        of_hashes(golden, twin, draw.integers(0, max(1, size // 3), size).astype(np.uint64), draw)


def of_hashes(golden: Golden, twin: NumpyKernels, hashes: np.ndarray, draw: np.random.Generator) -> None:
    """All functions of an array of hashes."""
    size, n = len(hashes), min(len(hashes), 3)
    start = draw.integers(0, size, size)
    end, factors = np.minimum(start + draw.integers(0, 5, size), size), draw.integers(0, 2**63, 7).astype(np.uint64)
    sums = np.append(0, draw.integers(1, 9, size + n).cumsum())
    run, stretch = np.zeros(size - n + 1, np.uint64), np.zeros(size, np.uint64)
    again, least = np.zeros(size, np.uint8), np.full(len(factors), np.iinfo(np.uint64).max, np.uint64)
    golden.add([hashes, start, end, factors, sums, run, stretch, again, least])
    at = {name: array.ctypes.data for name, array in locals().items() if isinstance(array, np.ndarray)}
    golden.call("runs", at["hashes"], at["run"], size, n)
    golden.expect("text/runs", run.view(np.int64), twin.runs(hashes, n).view(np.int64))
    golden.call("stretches", at["hashes"], at["start"], at["end"], at["stretch"], size)
    golden.expect("text/stretches", stretch.view(np.int64), twin.stretches(hashes, start, end).view(np.int64))
    golden.call("repeated", at["hashes"], at["again"], size, SECRET)
    golden.expect("text/repeated", again, twin.repeated(hashes).view(np.uint8))
    golden.call("commonest", at["hashes"], at["sums"], size, n, SECRET, twin.commonest(hashes, n, sums))
    golden.call("least_products", at["hashes"], at["factors"], at["least"], size, len(factors))
    golden.expect("text/least_products", least.view(np.int64), twin.least_products(hashes, factors).view(np.int64))
