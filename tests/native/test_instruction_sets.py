"""Every instruction set that this processor runs, by the override, each in a process of its own.

The best one is the default, with which all tests run anyway. `make native` runs all tests of what is computed with each
other one.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tuili.native.build import UNITS, instruction_sets

ROOT = Path(__file__).parents[2]
SETS = ["portable", *UNITS.get(platform.machine(), {})]


def run(instruction_set: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TUILI_INSTRUCTION_SET": instruction_set}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


every_other_set = pytest.mark.parametrize("instruction_set", [name for name in SETS if name != instruction_sets()[0]])


def assert_passes(instruction_set: str, *tests: str) -> None:
    runs_here = instruction_sets()
    if instruction_set not in runs_here:
        pytest.skip(f"this processor runs {', '.join(runs_here)} alone")
    files = [f"tests/{name}.py" for name in tests]
    done = run(instruction_set, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)
    assert done.returncode == 0, done.stdout


@pytest.mark.native
@every_other_set
def test_what_it_computes_passes_all_tests(instruction_set: str):
    native = ("test_products", "test_step", "test_verifier", "training/test_blocks", "training/test_codec")
    model = ("native_ops", "native_attention", "native_chains")
    assert_passes(instruction_set, *(f"native/{name}" for name in native), *(f"model/test_{name}" for name in model))


def test_the_best_one_is_the_default():
    names = instruction_sets()
    assert names[-1] == "portable"
    assert list(names) == sorted(names, key=SETS.index, reverse=True)
    done = run("", "-c", "from tuili.native import load; print(load().instruction_set)")
    assert done.stdout == f"{names[0]}\n"


def test_one_that_cannot_run_is_refused_with_those_that_can():
    done = run("sse9", "-c", "from tuili.native import load; print(repr(load()))")
    expected = f"TUILI_INSTRUCTION_SET=sse9 cannot run here: choose one of {', '.join(instruction_sets())}"
    assert done.stdout == f"Unavailable(reason='{expected}')\n"
