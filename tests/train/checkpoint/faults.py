"""What becomes of files of checkpoints: they are cut off, changed, or have no room on the disk."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tuili.train.checkpoint import writing


def full_for(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No room for one file, of which half is there."""
    write = writing.write_durably

    def full(path: Path, data: bytes) -> None:
        if path.name == name:
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data)

    monkeypatch.setattr(writing, "write_durably", full)


def truncate(path: Path) -> None:
    """The end of a file is lost."""
    path.write_bytes(path.read_bytes()[:-5])


def flip(path: Path) -> None:
    """One bit of a file is another."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
