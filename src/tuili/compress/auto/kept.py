"""What a search has found so far, stored in its folder, so that nothing is made or measured twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuili.compress.auto.halving import Rung
from tuili.compress.auto.pace import Pace
from tuili.compress.auto.targets import Found
from tuili.compress.result import REMEDY, damaged
from tuili.files import write_durably, writing

FOUND_FILE, SCHEDULE_FILE = "found.json", "schedule.json"


@dataclass(frozen=True)
class Schedule:
    """What all sessions of a search follow. names: the candidates. begun: how many rungs have begun; their steps are
    fixed."""

    names: Sequence[str]
    rungs: Sequence[Rung]
    pace: Pace
    begun: int = 0


class Kept:
    """The models of a folder by name and steps, and the candidates that could not be made, with the reason.

    Raises `InputError` if its file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / FOUND_FILE
        self._found: dict[tuple[str, int], Found] = {}
        self._failed: dict[tuple[str, int], str] = {}
        if (document := _read(self._file)) is None:
            return
        try:
            for one in document["found"]:
                found = Found(**one)
                self._found[found.name, found.steps] = found
            for one in document["failed"]:
                self._failed[str(one["name"]), int(one["steps"])] = str(one["reason"])
        except (LookupError, TypeError, ValueError) as error:
            raise damaged(self._file) from error

    def get(self, name: str, steps: int) -> Found | None:
        """The stored model, or None."""
        return self._found.get((name, steps))

    def failed(self, name: str, steps: int) -> str | None:
        """Why the candidate could not be made; None if it was made or was not tried."""
        return self._failed.get((name, steps))

    @property
    def begun(self) -> bool:
        """Whether any candidate has been made."""
        return any(steps for _, steps in self._found)

    @property
    def done(self) -> tuple[int, int]:
        """The total steps of all models, and the number of models, including the parent."""
        return sum(steps for _, steps in self._found), len(self._found)

    def add(self, found: Found) -> None:
        """Store a model."""
        self._found[found.name, found.steps] = found
        self._save()

    def fail(self, name: str, steps: int, reason: str) -> None:
        """Store that a candidate could not be made."""
        self._failed[name, steps] = reason
        self._save()

    def _save(self) -> None:
        failed = [{"name": name, "steps": steps, "reason": why} for (name, steps), why in self._failed.items()]
        _write(self._file, {"found": [asdict(one) for one in self._found.values()], "failed": failed})

    @property
    def schedule(self) -> Schedule | None:
        """The schedule of this session or an earlier one; None if there is none yet."""
        file = self._folder / SCHEDULE_FILE
        if (document := _read(file)) is None:
            return None
        try:
            rungs = tuple(Rung(**one) for one in document["rungs"])
            return Schedule(tuple(document["names"]), rungs, Pace(**document["pace"]), int(document["begun"]))
        except (LookupError, TypeError, ValueError) as error:
            raise damaged(file) from error

    def fix(self, schedule: Schedule) -> None:
        """Store a schedule, which later sessions follow."""
        _write(self._folder / SCHEDULE_FILE, asdict(schedule))


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise damaged(file) from error
    if not isinstance(document, dict):
        raise damaged(file)
    return document


def _write(file: Path, document: Mapping[str, Any]) -> None:
    with writing(file, REMEDY):
        write_durably(file, json.dumps(document, indent=1).encode())
