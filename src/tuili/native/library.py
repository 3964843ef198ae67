"""The native library in this process: loaded once, with one instruction set, or the reason why it is not to be had.

Where it comes from, and how it is compiled, is left to `build.py`.
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
"""Grows with every change of a structure or a function that both sides see; `dispatch.cpp` says the same number."""
INSTRUCTION_SET_VARIABLE = "TUILI_INSTRUCTION_SET"


@dataclass(frozen=True)
class Library:
    """The loaded library. `short` keeps the interpreter's lock during a call, `long` gives it back to other threads."""

    short: ctypes.PyDLL
    long: ctypes.CDLL
    path: Path
    instruction_set: str
    instruction_sets: tuple[str, ...]
    """Those that this processor runs, the best first. Each is compiled where it is asked for."""

    @property
    def origin(self) -> str:
        """Where it comes from: the package, or a compiler of this machine."""
        return "of the package" if self.path == PREBUILT else f"compiled here by {self.path.stem.rsplit('-', 2)[0]}"

    def __str__(self) -> str:
        return f"{self.instruction_set}, {self.origin}"


@dataclass(frozen=True)
class Unavailable:
    """Why there is no native library here, in one line. asked: whether `TUILI_INSTRUCTION_SET` asks for one."""

    reason: str
    asked: bool = field(default=False, repr=False)

    def __str__(self) -> str:
        return self.reason


def function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """A function of the library with the types of its result and arguments, which nobody else can change."""
    found = library[name]
    found.restype, found.argtypes = result, arguments
    return found


def load(*, compiles: bool = True) -> Library | Unavailable:
    """The library of this process; whatever fails is a reason, never an exception. `TUILI_INSTRUCTION_SET` names an
    instruction set in place of the best one.

    compiles: whether it is compiled where that was not done before.
    """
    return _load(os.environ.get(INSTRUCTION_SET_VARIABLE, ""), compiles)


@cache
def _load(wanted: str, compiles: bool) -> Library | Unavailable:
    try:
        return _opened(built(wanted, compiles=compiles), wanted)
    except (TuiliError, OSError, AttributeError) as error:  # the last one: what a compiler made has not our functions
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
