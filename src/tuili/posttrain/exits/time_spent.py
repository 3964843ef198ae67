"""The time that a run has taken, over all its sessions, in a small file of its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from pydantic import NonNegativeFloat, TypeAdapter, ValidationError

from tuili.errors import InputError
from tuili.files import refusing_faults, write_durably

FILE = "seconds.json"
KEPT_EVERY = 10.0
"""Seconds between two writes: a killed session loses at most this much."""
_SECONDS = TypeAdapter(NonNegativeFloat)


class TimeSpent:
    """Seconds since the run began, without the time between sessions. Raises `InputError` for a damaged file."""

    def __init__(self, folder: Path, clock: Callable[[], float] = perf_counter) -> None:
        self._file, self._clock, self._begun = folder / FILE, clock, clock()
        self._kept = self._begun
        try:
            self._before = _SECONDS.validate_json(self._file.read_bytes()) if self._file.is_file() else 0.0
        except ValidationError as error:
            raise InputError(f"{self._file} is damaged: write into it how many seconds the run has taken") from error

    @property
    def seconds(self) -> float:
        """The seconds so far."""
        return self._before + self._clock() - self._begun

    def keep(self) -> None:
        """Write the seconds to the file, unless that was done recently. Call it often."""
        if self._clock() - self._kept >= KEPT_EVERY:
            self._kept = self._clock()
            with refusing_faults(self._file):
                write_durably(self._file, json.dumps(round(self.seconds, 1)).encode())
