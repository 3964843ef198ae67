"""The options say which runner computes, and in which numbers."""

from __future__ import annotations

import pytest

from benchmarks.harness.computing import Computing, computing
from tuili.errors import InputError


def test_known_names_are_taken():
    assert computing("torch", "bf16") == Computing("torch", "bf16")
    assert computing("auto", "auto") == Computing()


@pytest.mark.parametrize(
    ("runner", "numbers", "message"),
    [
        ("jax", "auto", "runner jax: use one of auto, native, torch"),
        ("auto", "fp8", "numbers fp8: use one of auto, fp32, bf16, int8, int4"),
    ],
)
def test_unknown_names_are_refused(runner, numbers, message):
    with pytest.raises(InputError, match=message):
        computing(runner, numbers)
