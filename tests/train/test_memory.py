from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tuili.train.memory import keep_freed_memory

FAULTS = """
import resource, sys
import torch
from tuili.train.memory import keep_freed_memory

def faults_of(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        tensors = [torch.ones(1 << 20) for _ in range(4)]
        del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

assert keep_freed_memory()
faults_of(3)
sys.exit(faults_of(20) > 8_000)
"""
"""4 tensors of 1,024 pages, 20 times: 80,000 pages, were they new each time. A few are, until all find a place."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option of glibc")
def test_freed_memory_is_used_again() -> None:
    assert subprocess.run([sys.executable, "-c", FAULTS], check=False).returncode == 0


def test_another_c_library_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
