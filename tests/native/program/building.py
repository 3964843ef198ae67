"""Building the C++ program: on the library that this machine uses, or with the library's sources compiled anew.

Every unit has the flags that `build.py` gives it, and those of a variant behind them.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tuili.native.build import FLAGS, SOURCE, UNITS, find_compiler

PROGRAM = Path(__file__).parent
PLAIN_UNITS = ("main", "golden", "pool")
WARNINGS = ("-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True)
class Variant:
    """How the program is built. machine: the kind of processor that it is for, as `platform.machine` names it."""

    flags: tuple[str, ...] = ()
    compiler: str | None = None
    machine: str = platform.machine()


def build(folder: Path, variant: Variant, library: Path | None = None) -> Path:
    """The program, linked with a library or else with the library's own units."""
    compiler, units = variant.compiler or find_compiler(), UNITS.get(variant.machine, {})
    assert compiler
    with_units = tuple(f"-DTUILI_WITH_{name.upper()}" for name in units)
    sets: dict[str, tuple[str, ...]] = {"portable": (), **units}
    wanted = [(PROGRAM / f"{name}.cpp", name, with_units) for name in PLAIN_UNITS]
    wanted += [(PROGRAM / "vectors.cpp", f"vectors_{name}", flags) for name, flags in sets.items()]
    wanted += [(SOURCE / "threads.cpp", "threads", ())]
    if not library:
        wanted += [(SOURCE / "dispatch.cpp", "dispatch", ())]
        wanted += [(SOURCE / f"{name}.cpp", name, flags) for name, flags in sets.items()]

    def compiled(source: Path, name: str, flags: Iterable[str]) -> Path:
        made = folder / f"{name}.o"
        plain = name in PLAIN_UNITS
        common = ["-std=c++17", "-O1", "-pthread"] if plain else FLAGS
        _run([compiler, *common, *WARNINGS, f"-I{SOURCE}", *flags, *variant.flags, "-c", str(source), "-o", str(made)])
        return made

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda unit: compiled(*unit), wanted))
    program, libraries = folder / "program", [library, f"-Wl,-rpath,{library.parent}"] if library else []
    _run([compiler, "-pthread", *variant.flags, *map(str, [*objects, *libraries]), "-o", str(program)])
    return program


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
