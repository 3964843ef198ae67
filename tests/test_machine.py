"""What a process may change about itself."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ALLOCATIONS = """
import resource
from tuili.machine import keep_freed_memory
if {keep}: print(keep_freed_memory())
for _ in range(20):
    held = [bytearray(8 << 20) for _ in range(4)]
    for array in held: array[::4096] = bytes(len(array[::4096]))
    del held, array
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_can_be_kept() -> None:
    """Of 20 rounds over 32 MiB, which are 8192 pages, only the first one meets new pages."""
    faults = []
    for keep in (False, True):
        done = subprocess.run(
            [sys.executable, "-c", ALLOCATIONS.format(keep=keep)], capture_output=True, text=True, check=True
        )
        *said, count = done.stdout.split()
        assert said == ["True"] * keep
        faults.append(int(count))
    assert faults[1] < faults[0] / 2
