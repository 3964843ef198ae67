"""A disk that is full when one file is written."""

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
