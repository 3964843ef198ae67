"""Compiling the native library: into a cache folder at first use, or into a wheel.

A wheel has every instruction set. At first use only one is compiled, which takes a third of the time: the best one that
this processor supports, or the requested one.

A library is sealed: a file next to it holds its hash, and a library without a valid seal is rebuilt, never loaded. The
cache key covers the sources, the flags and the kind of machine. A file's name contains the compiler and the instruction
set, so that a machine without a compiler still finds what was built before. `library.py` loads the library.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from tuili.errors import TuiliError, one_line

SOURCE = Path(__file__).parent / "source"
PREBUILT = Path(__file__).parent / "prebuilt" / "tuili.so"
"""The library of a wheel, which needs no compiler."""

COMPILER_VARIABLE = "CXX"
CACHE_VARIABLE = "TUILI_NATIVE_CACHE"
SECONDS = 600
"""A compiler that takes longer is stopped."""

FLAGS = (
    "-std=c++17", "-O3", "-fPIC", "-pthread", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti",
    "-ffp-contract=off",  # sums are rounded where the source says so, identically in every block
    "-fno-math-errno", "-Wno-psabi", "-Wno-ignored-attributes",
)  # fmt: skip
LINK_FLAGS = ("-shared", "-pthread", "-Wl,--as-needed", "-Wl,--no-undefined")
PLAIN_UNITS = ("dispatch", "threads")
"""The translation units that belong to no instruction set."""
UNITS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "x86_64": {
        "avx2": ("-mavx2", "-mfma", "-mf16c"),
        "avx512": (
            "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mavx512bf16", "-mfma", "-mf16c",
        ),
    },
    "aarch64": {"neon": ("-march=armv8.2-a+dotprod",)},
}  # fmt: skip
"""The instruction sets of each kind of machine, plainest first, with their compiler flags."""
PROCESSOR = Path("/proc/cpuinfo")
NEEDED = {
    "avx2": {"avx2", "fma", "f16c"},
    "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512_bf16"},
    "neon": {"asimddp"},
}
"""The flags that Linux reports for a processor that supports an instruction set."""


class BuildError(TuiliError):
    """The library cannot be built here; the message is one line."""


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets that this processor supports, best first."""
    has: set[str] = set()
    with suppress(OSError), PROCESSOR.open() as lines:  # the first core suffices; reading many takes time
        has = next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), has)
    units = list(UNITS.get(platform.machine(), {}))
    return (*(unit for unit in reversed(units) if NEEDED[unit] <= has), "portable")


def built(wanted: str = "", *, compiles: bool = True) -> Path:
    """A sealed library for this machine: from the wheel, from the cache, or compiled now. It has the wanted instruction
    set if the processor supports that. Raises `BuildError`.

    compiles: False never compiles.
    """
    if is_sealed(PREBUILT):
        return PREBUILT
    folder, compiler = cache_folder() / key(), find_compiler()
    runs_here = instruction_sets()
    unit = wanted if wanted in runs_here else runs_here[0]
    name = f"{_identity(compiler) if compiler else '*'}-{unit}.so"
    found = _sealed_in(folder, name)
    if found:
        return found
    if not compiles:
        raise BuildError("it has not been compiled")
    if compiler is None:
        own = os.environ.get(COMPILER_VARIABLE)
        raise BuildError(f"{COMPILER_VARIABLE}={own} is no program" if own else "no C++ compiler was found")
    try:
        _make_private(folder)
        with _locked(folder / "lock"):
            if not is_sealed(folder / name):  # otherwise another process has just built it
                compile_library(compiler, folder / name, unit)
    except OSError as error:
        raise BuildError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder / name


def compile_library(compiler: str, library: Path, unit: str | None = None) -> None:
    """Compile the sources to `library`, with one unit or with all, and seal it. A unit that the compiler refuses is
    left out; the portable unit replaces it. Raises `BuildError`, and `OSError` if files cannot be written."""
    units = {"portable": (), **UNITS.get(platform.machine(), {})}
    with tempfile.TemporaryDirectory(dir=library.parent, prefix=".build-") as scratch:
        folder = Path(scratch)
        wanted = {name: flags for name, flags in units.items() if unit in (None, name)}
        made = _compile(compiler, folder, dict.fromkeys(PLAIN_UNITS, ()) | wanted, needed={*PLAIN_UNITS, "portable"})
        if not made.keys() & units.keys():
            made |= _compile(compiler, folder, {"portable": ()}, needed={"portable"})
        # If several units contain an inline function, the linker keeps the first: it must run on every machine.
        objects = [str(made[name]) for name in (*PLAIN_UNITS, *units) if name in made]
        part = folder / library.name
        _run([[compiler, *LINK_FLAGS, *objects, "-o", str(part)]], needed=[True])
        if not part.is_file():
            raise BuildError(f"{compiler} made no library")
        seal = folder / "seal"
        seal.write_text(_seal(part))
        seal.replace(_seal_of(library))
        part.replace(library)


def is_sealed(library: Path) -> bool:
    """Whether a library exists, is complete, and was built from these exact sources."""
    try:
        return _seal_of(library).read_text() == _seal(library)
    except (OSError, UnicodeDecodeError):
        return False


def cache_folder() -> Path:
    """The folder for built libraries: `TUILI_NATIVE_CACHE`, or `tuili/native` in the user's cache folder. Raises
    `BuildError` if there is none."""
    own = os.environ.get(CACHE_VARIABLE)
    try:
        if own:
            return Path(own).expanduser().absolute()
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (base if base.is_absolute() else Path.home() / ".cache") / "tuili" / "native"
    except RuntimeError as error:
        fault = (
            f"{CACHE_VARIABLE}={own} is in a home folder that is not there" if own else "this user has no home folder"
        )
        raise BuildError(f"{fault}: name a place in {CACHE_VARIABLE}") from error


@cache
def key() -> str:
    """A hash of everything that determines a library, except the compiler."""
    digest = hashlib.sha256(repr((sysconfig.get_platform(), FLAGS, LINK_FLAGS, UNITS)).encode())
    for file in sorted(file for file in SOURCE.rglob("*") if file.is_file()):
        digest.update(f"\0{file.relative_to(SOURCE)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:32]


def find_compiler() -> str | None:
    """The path of the C++ compiler: `CXX`, else the first of the usual names."""
    own = os.environ.get(COMPILER_VARIABLE)
    found = (shutil.which(name) for name in ((own,) if own else ("c++", "g++", "clang++")))
    return next((path for path in found if path), None)


def _identity(compiler: str) -> str:
    """A compiler's name and a hash of its file's path, size and modification time, found without running it."""
    file = Path(os.path.realpath(compiler))
    facts = file.stat()
    digest = hashlib.sha256(f"{file}\0{facts.st_size}\0{facts.st_mtime_ns}".encode()).hexdigest()
    return f"{file.name}-{digest[:12]}"


def _seal_of(library: Path) -> Path:
    return library.with_suffix(".seal")


def _seal(library: Path) -> str:
    return f"{key()} {hashlib.sha256(library.read_bytes()).hexdigest()}\n"


def _sealed_in(folder: Path, pattern: str) -> Path | None:
    try:
        return next((path for path in sorted(folder.glob(pattern)) if _is_ours(folder) and is_sealed(path)), None)
    except OSError:
        return None


def _is_ours(folder: Path) -> bool:
    """Whether nobody but this user and root can put a library there."""
    facts = folder.stat()
    return facts.st_uid in (os.geteuid(), 0) and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _make_private(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_ours(folder):
        raise BuildError(f"{folder} can be written by others: remove it, or name another place in {CACHE_VARIABLE}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, even by a crash
        yield


def _compile(compiler: str, folder: Path, units: Mapping[str, tuple[str, ...]], needed: set[str]) -> dict[str, Path]:
    """Compile all units at once; returns the object files of those that compile."""
    objects = {name: folder / f"{name}.o" for name in units}
    commands = [
        [compiler, *FLAGS, *flags, "-c", str(SOURCE / f"{name}.cpp"), "-o", str(objects[name])]
        for name, flags in units.items()
    ]
    done = _run(commands, [name in needed for name in units])
    return {name: objects[name] for name, good in zip(units, done, strict=True) if good and objects[name].is_file()}


def _run(commands: list[list[str]], needed: list[bool]) -> list[bool]:
    """Run all commands at once; returns whether each succeeded. Raises `BuildError` if a needed one failed."""
    running = []
    try:
        for command in commands:
            running.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    text=True, errors="replace", env={**os.environ, "LC_ALL": "C"},
                )
            )  # fmt: skip
        good = []
        for command, process, must in zip(commands, running, needed, strict=True):
            _, errors = process.communicate(timeout=SECONDS)
            good.append(process.returncode == 0)
            if must and process.returncode:
                lines = [line for line in errors.splitlines() if "error" in line] or errors.splitlines()
                raise BuildError(f"{command[0]} failed: {(lines or [f'exit code {process.returncode}'])[0]}")
        return good
    except subprocess.TimeoutExpired:
        raise BuildError(f"{commands[0][0]} took longer than {SECONDS} s") from None
    except OSError as error:
        raise BuildError(f"{commands[0][0]} cannot be run: {one_line(error)}") from error
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.communicate()
