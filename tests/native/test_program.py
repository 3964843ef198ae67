"""The library under sanitizers and on other processors: a C++ program makes its calls and checks what they give.

`make native` runs this. What the program is asked stands in `program/cases.py`.
"""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.debian import needs
from tests.native.calling import library
from tests.native.program import cases
from tests.native.program.building import Variant, build
from tests.native.program.golden import Golden
from tuili.native.build import instruction_sets

pytestmark = [pytest.mark.native, needs("g++")]
ON_X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="these processors are of another kind")
MEMORY = "address and undefined behaviour"
SANITIZERS = {
    MEMORY: ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    "threads": ("-fsanitize=thread",),
}
NEON = Variant(("-static",), "aarch64-linux-gnu-g++", "aarch64")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with what is asked."""
    path = tmp_path_factory.mktemp("golden") / "golden"
    cases.write(path)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with every instruction set."""
    return build(tmp_path_factory.mktemp("program"), Variant())


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The program and the library's sources with each sanitizer."""
    return {
        name: build(tmp_path_factory.mktemp("sanitized"), Variant(("-O1", "-g1", *flags)))
        for name, flags in SANITIZERS.items()
    }


@pytest.fixture(scope="module")
def neon_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program for another kind of processor."""
    return build(tmp_path_factory.mktemp("neon"), NEON)


def check(program: Path, golden: Path, sets: list[str], through: tuple[str, ...] = ()) -> None:
    """Nothing is wrong, with these instruction sets."""
    done = subprocess.run([*through, program, golden], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.findall(r"^(\w+): [1-9]\d+ numbers\n", done.stdout, re.MULTILINE) == sets


def test_this_machines_library(golden: Path, tmp_path: Path) -> None:
    """The very one that it uses."""
    check(build(tmp_path, Variant(), library().path), golden, [library().instruction_set])


def test_every_instruction_set_that_runs_here(program: Path, golden: Path) -> None:
    check(program, golden, list(instruction_sets()))


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_sanitizer_finds_nothing(sanitizer: str, sanitized: dict[str, Path], golden: Path) -> None:
    check(sanitized[sanitizer], golden, list(instruction_sets()))


@needs("aarch64-linux-gnu-g++")
@needs("qemu-aarch64")
@pytest.mark.parametrize(
    ("processor", "sets"), [("max", ["neon", "portable"]), ("cortex-a53", ["portable"])], ids=["newest", "oldest"]
)
def test_processors_of_another_kind(neon_program: Path, golden: Path, processor: str, sets: list[str]) -> None:
    """A Cortex-A53 has no dot products."""
    check(neon_program, golden, sets, ("qemu-aarch64", "-cpu", processor))


@ON_X86
@needs("qemu-x86_64")
@pytest.mark.parametrize(
    ("processor", "sets"), [("Haswell", ["avx2", "portable"]), ("Nehalem", ["portable"])], ids=["no AVX-512", "no AVX"]
)
def test_processors_that_have_less(program: Path, golden: Path, processor: str, sets: list[str]) -> None:
    """qemu stops a program that uses what they have not."""
    check(program, golden, sets, ("qemu-x86_64", "-cpu", processor))


def test_a_wrong_number_is_found(program: Path, tmp_path: Path) -> None:
    x, y = np.arange(-8, 8, dtype=np.float32), np.zeros(16, np.float32)
    golden, wanted = Golden(), np.abs(x)
    wanted[3] += 0.5
    golden.vector("absolute", x, y)
    golden.expect("absolute", y, wanted, error=0.4)
    golden.write(tmp_path / "golden")
    with pytest.raises(AssertionError, match=r"absolute: 5 in place of 5\.5 at 3 of 16"):
        check(program, tmp_path / "golden", list(instruction_sets()))


def test_an_overrun_is_found(sanitized: dict[str, Path], tmp_path: Path) -> None:
    golden = Golden()
    golden.vector("absolute", np.ones(17, np.float32), np.zeros(16, np.float32))
    golden.write(tmp_path / "golden")
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        check(sanitized[MEMORY], tmp_path / "golden", list(instruction_sets()))
