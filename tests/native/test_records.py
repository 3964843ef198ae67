"""The structures of Python are as large as those of C++, which its compiler checks against the same numbers."""

from __future__ import annotations

import ctypes
import re

import pytest

from tests.native import calling
from tuili.native import attention, panels, records
from tuili.native.build import SOURCE
from tuili.native.text import ScanRecord
from tuili.native.training import ExpertsRecord, RouteRecord, RowsRecord

SIZES = dict(
    re.findall(
        r"sizeof\((\w+)\) == (\d+)",
        "".join(
            (SOURCE / f"{name}.h").read_text()
            for name in ("matrix", "step", "table", "training/calls", "training/attention_calls", "text/kernels")
        ),
    )
)
MIRRORS = {
    name.removesuffix("Record"): kind
    for module in (records, attention)
    for name, kind in vars(module).items()
    if name.endswith("Record")
} | {
    "Matrix": panels.MatrixRecord,
    "ProductCall": calling.ProductCall,
    "ExpertsCall": ExpertsRecord,
    "RowsCall": RowsRecord,
    "RouteCall": RouteRecord,
    "Scan": ScanRecord,
}


def test_every_structure_has_a_mirror() -> None:
    assert set(SIZES) == set(MIRRORS)


@pytest.mark.parametrize("name", SIZES)
def test_both_sides_have_one_size(name: str) -> None:
    assert ctypes.sizeof(MIRRORS[name]) == int(SIZES[name])
