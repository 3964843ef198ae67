"""A worker: a process of its own that reads items and sends documents through the blocks.

It may be killed at any time, by its own limits too: `pool` finds out which item was at fault. Messages are MessagePack,
each behind its length; nothing is unpickled.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from tuili.data.pipeline.pipeline import Outcome
from tuili.data.pipeline.readers.reader import Item, SourceFile

LENGTH = struct.Struct("<Q")


class Setup(msgspec.Struct, frozen=True):
    """The first message to a worker. It answers with an empty `Done` once it can work."""

    settings: str
    """`BuildSettings` as JSON."""
    files: list[tuple[bytes, str, str | None, int, int, int]]
    """The fields of each `SourceFile`, its path in bytes."""


class Work(msgspec.Struct, frozen=True, tag=True):
    """Items to be read."""

    items: list[Item]


class Outline(msgspec.Struct, frozen=True, tag=True):
    """A file to be cut into items."""

    file: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """The outcomes of each item of a `Work`."""

    outcomes: list[list[Outcome]]


class Outlined(msgspec.Struct, frozen=True, tag=True):
    """The items of a file."""

    items: list[Item]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An error of ours: a block or a reader raised something that it should not."""

    message: str


def send(stream: BinaryIO, message: msgspec.Struct) -> None:
    """Write one message."""
    data = msgspec.msgpack.encode(message)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> bytes | None:
    """Read one message, or None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None


def main() -> None:
    """Serve on stdin and stdout until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the process that leads
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand between messages
    first = receive(requests)
    if first is None:
        return
    setup = msgspec.msgpack.decode(first, type=Setup)
    from tuili.data.pipeline.reading import Corpus
    from tuili.data.pipeline.recipe import BuildSettings

    settings = BuildSettings.model_validate_json(setup.settings)
    files = [SourceFile(Path(os.fsdecode(path)), *rest) for path, *rest in setup.files]  # type: ignore[arg-type]
    corpus = Corpus(settings.inputs, files)
    pipeline = settings.pipeline()
    send(answers, Done([]))
    resource.setrlimit(resource.RLIMIT_DATA, (settings.limits.memory, settings.limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def limited(item: Item) -> list[Outcome]:
        # SIGPROF ends the process, also where it is deep in foreign code
        signal.setitimer(signal.ITIMER_PROF, settings.limits.seconds)
        outcomes = corpus.read(item, pipeline)
        signal.setitimer(signal.ITIMER_PROF, 0)
        return outcomes

    while data := receive(requests):
        place = ""
        try:
            match msgspec.msgpack.decode(data, type=Work | Outline):
                case Work(items):
                    done = list[list[Outcome]]()
                    for item in items:
                        place = item.place
                        done.append(limited(item))
                    send(answers, Done(done))
                case Outline(file):
                    place = files[file].name
                    signal.setitimer(signal.ITIMER_PROF, settings.limits.seconds)
                    outlined = corpus.outline(file)
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    send(answers, Outlined(outlined))
        except BrokenPipeError:
            return
        except Exception as error:
            send(answers, Failed(f"{place}: {type(error).__name__}: {error}"))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
