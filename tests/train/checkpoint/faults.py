"""What becomes of files of checkpoints: they are cut off, changed, or the disk has no room or does not answer."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tuili.train.checkpoint import saving, writing


def full_for(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No room for one file, of which half is there."""
    write = writing.write_durably

    def full(path: Path, data: Iterable[bytes], *more: Any) -> None:
        if path.name == name:
            whole = b"".join(data)
            path.write_bytes(whole[: len(whole) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data, *more)

    monkeypatch.setattr(writing, "write_durably", full)


def hang_for(patch: pytest.MonkeyPatch, name: str, pipe: Path) -> None:
    """The write of one file, or of the first one in a folder, waits in the kernel: for somebody who reads a pipe.

    From then on this process soon takes a disk to hang.
    """
    write = writing.write_durably

    def hang(path: Path, data: Iterable[bytes], *more: Any) -> None:
        if name in (path.name, path.parent.name):
            patch.setattr(saving, "LOOK_AT_MOST", 0.2)
            patch.setattr(saving, "HANGING_SECONDS", 0.4)
            os.mkfifo(pipe)
            pipe.open("wb").close()
        write(path, data, *more)

    patch.setattr(writing, "write_durably", hang)


def answer(pipe: Path) -> None:
    """The write goes on."""
    os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


def truncate(path: Path) -> None:
    """The end of a file is lost."""
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    """One bit of a file is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
