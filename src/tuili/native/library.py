"""The native library in this process: loaded once, with one instruction set, or the reason why it is unavailable.

`build.py` finds or compiles it.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tuili.errors import TuiliError, one_line
from tuili.native.build import PREBUILT, BuildError, built, instruction_sets

ABI = 7
"""Increased with every change to a structure or function that both sides use; equal to the number in `dispatch.cpp`."""
INSTRUCTION_SET_VARIABLE = "TUILI_INSTRUCTION_SET"


@dataclass(frozen=True)
class Library:
    """The loaded library. `short` keeps the interpreter's lock during a call, `long` releases it."""

    short: ctypes.PyDLL
    long: ctypes.CDLL
    path: Path
    instruction_set: str
    instruction_sets: tuple[str, ...]
    """The instruction sets that this processor supports, best first. Each is compiled on request."""

    @property
    def origin(self) -> str:
        """The library's origin: the package, or a compiler on this machine."""
        return "of the package" if self.path == PREBUILT else f"compiled here by {self.path.stem.rsplit('-', 2)[0]}"

    def __str__(self) -> str:
        return f"{self.instruction_set}, {self.origin}"


@dataclass(frozen=True)
class Unavailable:
    """Why there is no native library here, in one line. asked: whether `TUILI_INSTRUCTION_SET` requests one."""

    reason: str
    asked: bool = field(default=False, repr=False)

    def __str__(self) -> str:
        return self.reason


def function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """A function of the library with its own result and argument types, which no other caller can change."""
    found = library[name]
    found.restype, found.argtypes = result, arguments
    return found


def load(*, compiles: bool = True) -> Library | Unavailable:
    """The library of this process; a failure becomes a reason, never an exception. `TUILI_INSTRUCTION_SET` names an
    instruction set to use instead of the best one.

    compiles: whether to compile the library if it has not been compiled before.
    """
    return _load(os.environ.get(INSTRUCTION_SET_VARIABLE, ""), compiles)


@cache
def _load(wanted: str, compiles: bool) -> Library | Unavailable:
    try:
        return _opened(built(wanted, compiles=compiles), wanted)
    except (TuiliError, OSError, AttributeError) as error:  # the last one: the compiled library lacks our functions
        return Unavailable(one_line(error), asked=bool(wanted))


def _opened(path: Path, wanted: str) -> Library:
    short, long = ctypes.PyDLL(str(path)), ctypes.CDLL(str(path))
    if short.tuili_abi() != ABI:
        raise BuildError(f"{path} has the interface {short.tuili_abi()} in place of {ABI}: remove it")
    short.tuili_instruction_set.restype = ctypes.c_char_p
    best, runs_here = short.tuili_instruction_set(0), instruction_sets()
    chosen = wanted or (best.decode() if best else runs_here[0])
    if not short.tuili_choose(chosen.encode()):
        others = ", ".join(name for name in runs_here if name != chosen)
        raise BuildError(f"{INSTRUCTION_SET_VARIABLE}={chosen} cannot run here: choose one of {others}")
    return Library(short, long, path, chosen, runs_here)
