"""A disk that becomes full while a file is written, of which half is there then."""

from __future__ import annotations

import builtins
import errno
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from unittest import mock

from safetensors import SafetensorError

FULL = "No space left on device"


@contextmanager
def full_for(pattern: str) -> Iterator[None]:
    """Let Python write half of each file whose path has this pattern, and no more. There must be one in the block."""
    opened, hits = builtins.open, list[str]()

    def limited(file: Any, mode: str = "r", *given: Any, **more: Any) -> Any:
        stream = opened(file, mode, *given, **more)
        if mode.startswith("r") or not fnmatch(str(file), pattern):
            return stream
        hits.append(str(file))
        return _Half(stream)

    with mock.patch("builtins.open", limited), mock.patch("io.open", limited):
        yield
    assert hits, f"nothing was written to {pattern}"


@contextmanager
def full_in(function: str) -> Iterator[None]:
    """Let a function, by its module and name there, raise what it does on a full disk: one that saves tensors, of which
    half are in their file then, or one that flushes. It must be called in the block."""

    def full(*given: Any, **_: Any) -> None:
        if function.endswith("save_file"):
            Path(given[1]).write_bytes(b"half")
            raise SafetensorError(f"Error while serializing: I/O error: {FULL} (os error {errno.ENOSPC})")
        raise OSError(errno.ENOSPC, FULL)

    with mock.patch(function, side_effect=full) as called:
        yield
    assert called.called, f"{function} was not called"


def check_nothing_half_written(out: Path) -> None:
    """Assert that in the folder of a run there is no model, no scratch file, and no file of JSON that is cut."""
    assert not (out / "model").exists()
    assert not [path for path in out.rglob(".*") if path.name != ".lock"]
    for file in out.rglob("*.json"):
        json.loads(file.read_bytes())


class _Half(io.IOBase):
    """A file that takes half of what is first written to it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        self._stream.write(data[: len(data) // 2])
        self._stream.flush()
        raise OSError(errno.ENOSPC, FULL)

    def fileno(self) -> int:
        """Who asks for it flushes what may be nothing to the disk, which has no room for that either."""
        raise OSError(errno.ENOSPC, FULL)

    def close(self) -> None:
        self._stream.close()
        super().close()
