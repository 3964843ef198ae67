"""The time that a search has taken, all sessions together, whatever ended them."""

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
"""A session that is killed loses so much of its time at most."""


class Stopwatch:
    """Runs as a context for one session; what earlier ones took is read from its file in the folder.

    Raises `InputError` where that file is damaged, and for a full disk.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._file, self._clock = folder / SECONDS_FILE, clock
        self._before = _read(self._file)
        self._begun = clock()
        self._ended = Event()
        self._heart = Thread(target=self._beat, daemon=True)

    @property
    def seconds(self) -> float:
        """Of all sessions, until now."""
        return self._before + self._clock() - self._begun

    def save(self) -> None:
        """Keep them for later sessions."""
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
            with suppress(OSError):  # of a full disk, what the session itself writes next tells
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
