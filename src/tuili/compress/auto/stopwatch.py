"""The time that all sessions of a search have taken together, however they ended."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

from tuili.compress.result import REMEDY, damaged
from tuili.files import write_durably, writing

SECONDS_FILE = "seconds.json"
HEARTBEAT_SECONDS = 20.0
"""A killed session loses at most this much of its time."""


class Stopwatch:
    """A context manager for one session; reads the time of earlier sessions from its file in the folder.

    Raises `InputError` if that file is damaged, and for a full disk.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._file, self._clock = folder / SECONDS_FILE, clock
        self._before = _read(self._file)
        self._begun = clock()
        self._ended = Event()
        self._heart = Thread(target=self._beat, daemon=True)

    @property
    def seconds(self) -> float:
        """The seconds of all sessions until now."""
        return self._before + self._clock() - self._begun

    def save(self) -> None:
        """Store the seconds for later sessions."""
        write_durably(self._file, json.dumps(self.seconds).encode())

    def __enter__(self) -> Stopwatch:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._heart.join()
        with writing(self._file, REMEDY):
            self.save()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # the session's own next write reports a full disk
                self.save()


def _read(file: Path) -> float:
    try:
        seconds = json.loads(file.read_bytes())
    except FileNotFoundError:
        return 0.0
    except (OSError, ValueError) as error:
        raise damaged(file) from error
    if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise damaged(file)
    return float(seconds)
