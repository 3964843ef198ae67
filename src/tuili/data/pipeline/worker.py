"""A worker: a separate process that reads items and sends documents through the blocks.

It may be killed at any time, also by its own limits. The coordinator finds the item at fault from a number in shared
memory. Messages are MessagePack, each preceded by its length; nothing is unpickled.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import msgspec

from tuili.data.pipeline.pipeline import Outcome
from tuili.data.pipeline.readers.inputs import Item, PackedFile, SourceFile
from tuili.errors import TuiliError

LENGTH = struct.Struct("<Q")
ANSWERS = 2**18
"""The number of answer bytes sent at once: waking the coordinator takes as long as some documents."""
_ROOM = 2**26
"""The bytes that a worker must be able to allocate in addition to what it holds at the start."""


class Setup(msgspec.Struct, frozen=True):
    """The first message to a worker. The worker answers with an empty `Done` once it is ready."""

    settings: str
    """`BuildSettings` as JSON."""


class Work(msgspec.Struct, frozen=True, tag=True):
    """Items to read. The worker answers each with a `Done`, in order, and sends many answers at a time."""

    items: list[Item]
    files: list[PackedFile]
    """The file of each item."""


class Outline(msgspec.Struct, frozen=True, tag=True):
    """A file to split into items."""

    number: int
    file: PackedFile


class Done(msgspec.Struct, frozen=True, tag=True):
    """The outcomes of an item."""

    outcomes: list[Outcome]


class Outlined(msgspec.Struct, frozen=True, tag=True):
    """The items of a file."""

    items: list[Item]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The message of an error that ends the build: a disk error, or one of Tuili's own."""

    message: str


def framed(message: msgspec.Struct) -> bytes:
    """A message preceded by its length."""
    data = msgspec.msgpack.encode(message)
    return LENGTH.pack(len(data)) + data


def receive(stream: BinaryIO) -> bytes | None:
    """Read one message, or None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None


def main(shared: int) -> None:
    """Serve on stdin and stdout until stdin ends. shared: the file with the number of the `Work` item being read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the coordinator
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", ANSWERS)
    reading = mmap.mmap(shared, LENGTH.size)
    os.dup2(2, 1)  # the output of libraries must not mix with messages
    first = receive(requests)
    if first is None:
        return
    from tuili.data.pipeline.kernels import kernels, never_compile
    from tuili.data.pipeline.reading import Readers
    from tuili.data.pipeline.recipe import BuildSettings

    never_compile()  # if the coordinator could not compile the library, this process cannot either
    kernels()  # loaded before memory is limited
    settings = BuildSettings.model_validate_json(msgspec.msgpack.decode(first, type=Setup).settings)
    readers, pipeline = Readers(settings.inputs), settings.pipeline()

    def answer(message: msgspec.Struct, more: bool = False) -> None:
        answers.write(framed(message))
        if not more:
            answers.flush()

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(settings.limits.memory)
    answer(Done([]))
    quiet = os.open(os.devnull, os.O_WRONLY)  # earlier errors went to the coordinator
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)

    @contextmanager
    def limited() -> Iterator[None]:
        # SIGPROF ends the process even deep in foreign code
        signal.setitimer(signal.ITIMER_PROF, settings.limits.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    while data := receive(requests):
        place = ""
        try:
            match msgspec.msgpack.decode(data, type=Work | Outline):
                case Work(items, files):
                    for number, (item, packed) in enumerate(zip(items, files, strict=True)):
                        place, reading[:] = item.place, LENGTH.pack(number)
                        with limited():
                            outcomes = readers.read(item, SourceFile.unpacked(packed), pipeline)
                        answer(Done(outcomes), more=number + 1 < len(items))
                case Outline(number, packed):
                    file = SourceFile.unpacked(packed)
                    place = file.name
                    with limited():
                        outlined = readers.outline(number, file)
                    answer(Outlined(outlined))
        except BrokenPipeError:
            return
        except TuiliError as error:
            answer(Failed(str(error)))
        except Exception as error:
            answer(Failed(f"reading failed at {place}: {type(error).__name__}: {error}"))


def _limit_memory(most: int) -> None:
    """Limit the memory of this process, and exit if that leaves too little to read anything.

    most: bytes; fewer if the system has set a lower limit, which only the system can raise.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    try:
        bytearray(_ROOM)
    except MemoryError:
        message = f"{most >> 20:,} MiB of memory are too few for it: see limits.memory of the recipe, and ulimit -d"
        raise SystemExit(message) from None


if __name__ == "__main__":
    main(int(sys.argv[1]))
    sys.stdout.flush()
