"""Writing a golden file: the memory that calls of the native library read, with its pointers, and what they must give.

Memory is found as Python holds it: every array and every structure that some objects of `tuili.native` lead to. The
pointers are the fields of the structures. `golden.h` reads the file, on a processor of another kind too.
"""

from __future__ import annotations

import ctypes
import gc
from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Structure = ctypes.Structure | ctypes.Array[Any]


@dataclass(frozen=True)
class Piece:
    """A piece of memory, as it was when it was added. kind: the structure that it holds, if it is one."""

    begin: int
    content: bytes
    kind: type | None

    def pointers(self) -> Iterator[tuple[str, int, int]]:
        """Name, offset and value of every pointer that is not null."""
        for name, offset in _pointer_fields(self.kind) if self.kind else ():
            value = int.from_bytes(self.content[offset : offset + ctypes.sizeof(ctypes.c_void_p)], "little")
            if value:
                yield name, offset, value


@dataclass(frozen=True)
class Action:
    """What happens to memory at some addresses; `main.cpp` says what the kinds are."""

    kind: str
    name: str
    addresses: list[int]
    numbers: Sequence[float]


class Golden:
    """Memory, and the actions on it in their order. What `add` was given must live until the file is written."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._actions: list[Action] = []
        self._kept: list[object] = []

    def add(self, *owners: object) -> None:
        """Take in all memory that some objects lead to, if it is not there yet."""
        self._kept.extend(owners)
        for held in _memory_of(owners):
            if isinstance(held, np.ndarray):
                begin, end = np.lib.array_utils.byte_bounds(held)
                self._take(begin, end - begin, None)
            else:
                self._take(ctypes.addressof(held), ctypes.sizeof(held), type(held))

    def address_of(self, kind: type) -> int:
        """Where the only structure of a kind lies."""
        (piece,) = (piece for piece in self._pieces if piece.kind is kind)
        return piece.begin

    def call(self, function: str, *arguments: Any) -> None:
        """A call of the library: addresses of structures first, then numbers."""
        places = [value for value in arguments if self._find(value)]
        self._act("call", function, places, arguments[len(places) :])

    def vector(self, function: str, x: np.ndarray, y: np.ndarray) -> None:
        """y = function(x) by a function of vectors.cpp."""
        self.add(x, y)
        self._act("vector", function, [x.ctypes.data, y.ctypes.data], [x.size])

    def set(self, array: np.ndarray) -> None:
        """An array that was added has now these numbers."""
        now = array.copy()
        self.add(now)
        self._act("copy", "-", [array.ctypes.data, now.ctypes.data], [array.nbytes])

    def expect(
        self, name: str, array: np.ndarray, wanted: np.ndarray, error: float = 0.0, proportion: float = 0.0
    ) -> None:
        """An array that was added must then have these numbers, but for an error or a proportion of the number."""
        with np.errstate(over="ignore"):  # what is too large for a float is inf there too
            wanted = np.ascontiguousarray(wanted, array.dtype).copy()
        assert array.shape == wanted.shape and array.flags.c_contiguous
        self.add(wanted)
        place = [array.ctypes.data, wanted.ctypes.data]
        self._act(str(array.dtype), name, place, [array.size, error, proportion])

    def same(self, name: str, array: np.ndarray, other: np.ndarray) -> None:
        """An array that was added must then have the bits of another one."""
        assert array.shape == other.shape and array.dtype == other.dtype
        self._act(str(array.dtype), name, [array.ctypes.data, other.ctypes.data], [array.size, 0, 0])

    def write(self, path: Path) -> None:
        """Write the file: the pieces that the actions reach, their pointers, the actions."""
        pieces = self._reached()
        numbers = {piece.begin: number for number, piece in enumerate(pieces)}
        scratch = {value for piece in pieces for name, _, value in piece.pointers() if name == "workspace"}

        def place(address: int) -> str:
            piece = self._at(address)
            return f"{numbers[piece.begin]} {address - piece.begin}"

        with path.open("wb") as file:
            for piece in pieces:
                if piece.begin in scratch:
                    file.write(f"scratch {len(piece.content)}\n".encode())
                else:
                    file.write(f"memory {len(piece.content)}\n".encode() + piece.content + b"\n")
            for piece in pieces:
                for name, offset, value in piece.pointers():
                    target = "-1 0" if name == "threads" else place(value)
                    file.write(f"pointer {place(piece.begin + offset)} {target}\n".encode())
            for action in self._actions:
                words = [action.kind, action.name, len(action.addresses), *map(place, action.addresses)]
                file.write(" ".join(map(str, [*words, len(action.numbers), *action.numbers])).encode() + b"\n")

    def _reached(self) -> list[Piece]:
        waiting = [address for action in self._actions for address in action.addresses]
        reached: dict[int, Piece] = {}
        while waiting:
            piece = self._at(waiting.pop())
            if piece.begin not in reached:
                reached[piece.begin] = piece
                waiting.extend(value for name, _, value in piece.pointers() if name != "threads")
        return list(reached.values())

    def _take(self, begin: int, size: int, kind: type | None) -> None:
        size = max(size, 1)  # an address is wanted where nothing is read, too
        found = self._find(begin)
        if found:
            assert begin + size <= found.begin + len(found.content), "two pieces of memory overlap"
        else:
            insort(self._pieces, Piece(begin, ctypes.string_at(begin, size), kind), key=lambda piece: piece.begin)

    def _act(self, kind: str, name: str, addresses: list[int], numbers: Sequence[float]) -> None:
        self._actions.append(Action(kind, name, addresses, numbers))

    def _find(self, address: int) -> Piece | None:
        index = bisect_right(self._pieces, address, key=lambda piece: piece.begin) - 1
        if index < 0 or address >= self._pieces[index].begin + len(self._pieces[index].content):
            return None
        return self._pieces[index]

    def _at(self, address: int) -> Piece:
        piece = self._find(address)
        assert piece, "a pointer leads to memory that was not added"
        return piece


def _memory_of(owners: object) -> Iterator[np.ndarray | Structure]:
    """Arrays and structures that objects lead to through containers and objects of `tuili.native`."""
    waiting, seen = [owners], set()
    while waiting:
        held = waiting.pop()
        if id(held) in seen:
            continue
        seen.add(id(held))
        if isinstance(held, np.ndarray | ctypes.Structure | ctypes.Array):
            yield held
        elif isinstance(held, list | tuple | Mapping) or type(held).__module__.startswith("tuili.native."):
            waiting.extend(gc.get_referents(held))


def _pointer_fields(kind: Any) -> Iterator[tuple[str, int]]:
    """Name and offset of every pointer in a structure."""
    if issubclass(kind, ctypes.Array):
        for index in range(kind._length_):
            for name, offset in _pointer_fields(kind._type_):
                yield name, index * ctypes.sizeof(kind._type_) + offset
    elif issubclass(kind, ctypes.Structure):
        for field, field_kind, *_ in kind._fields_:
            begin = getattr(kind, field).offset
            if field_kind is ctypes.c_void_p:
                yield field, begin
            else:
                yield from ((name, begin + offset) for name, offset in _pointer_fields(field_kind))
