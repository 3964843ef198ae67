"""The folder of a run: what it began with, and the result of every finished stage.

A stage is skipped if its result was made from the same inputs and what it wrote still exists. Its inputs are those of
the run and the results of all stages before it, except the content of `timing`, which another session would measure
differently. A result with `why` belongs to a stage that was left out. The other modules define what a stage does.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tuili.errors import InputError, TuiliError
from tuili.files import write_durably, writing
from tuili.train import RUN_FILE, RunFolder

TaskCallback = Callable[[str, int, int], None]
"""Called with the name of the task, how many of its parts are finished, and how many there are."""
NAMES = ("data", "stages", "trial", "teach", "exits", "verifier", "model")
"""The folders of a run."""
TIMING = "timing"
BEAT = 5.0
"""The interval in seconds at which the time of a stage is stored: a kill loses no more than that."""
_REMEDY = "choose another --out"


class Interrupted(TuiliError):
    """A Ctrl-C has ended a stage, whose progress so far is stored."""


@dataclass(frozen=True)
class Done:
    """The result of a stage, and its seconds in all sessions, except up to `BEAT` of each session that was killed.

    skipped: whether an earlier session did it.
    """

    result: Mapping[str, Any]
    seconds: float
    skipped: bool


class StageFolder:
    """The results of the stages of a run, in the order in which `run` is called.

    Args:
        begun: what the whole run depends on.
    """

    def __init__(self, path: Path, begun: Mapping[str, Any]) -> None:
        self._path, self._inputs = path, _digest(begun)
        self.done: dict[str, Done] = {}
        """The stages so far, by name."""

    def run(self, name: str, work: Callable[[], Mapping[str, Any]], makes: Sequence[Path] = ()) -> Mapping[str, Any]:
        """The result of a stage, from an earlier session or from `work`. makes: files and folders that it writes,
        unless it is left out."""
        file = self._path / f"{name}.json"
        kept = _read(file)
        spent = float(kept["seconds"]) if kept.get("inputs") == self._inputs else 0.0
        result: Any = kept.get("result")
        skipped = spent > 0 and result is not None and ("why" in result or all(path.exists() for path in makes))
        if not skipped:
            with writing(self._path, _REMEDY):
                self._path.mkdir(parents=True, exist_ok=True)
            with self._timed(file, spent) as seconds:
                made = work()
            result, spent = json.loads(json.dumps(made)), seconds()
            self._write(file, result, spent)
        self.done[name] = Done(result, spent, skipped)
        self._inputs = _digest([self._inputs, {key: value for key, value in result.items() if key != TIMING}])
        return dict(result)

    def is_kept(self, name: str) -> bool:
        """Whether a result of a stage exists, whatever its inputs were."""
        return _read(self._path / f"{name}.json").get("result") is not None

    @contextmanager
    def _timed(self, file: Path, before: float) -> Iterator[Callable[[], float]]:
        """The seconds of a stage so far, which are stored while it runs, and also if it does not finish."""
        begun = time.perf_counter()

        def seconds() -> float:
            return before + time.perf_counter() - begun

        try:
            with _beating(lambda: self._write(file, None, seconds())):
                yield seconds
        except BaseException:
            self._write(file, None, seconds())
            raise

    def _write(self, file: Path, result: Any, seconds: float) -> None:
        document = {"inputs": self._inputs, "seconds": seconds, "result": result}
        with writing(file, _REMEDY):
            write_durably(file, (json.dumps(document, indent=1) + "\n").encode())


@contextmanager
def _beating(keep: Callable[[], None]) -> Iterator[None]:
    """Call `keep` at intervals while the block runs. The stage itself reports a full disk."""
    ended = Event()

    def beat() -> None:
        while not ended.wait(BEAT):
            with suppress(TuiliError):
                keep()

    heart = Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()


def begin(folder: RunFolder, begun: Mapping[str, Any], places: Mapping[str, str], resume: bool) -> None:
    """Record what a run begins with.

    places: paths that the trainings in the folder depend on, which must be given in the same form.
    Raises `InputError` if the folder holds another run, naming the first difference, one that is not to be resumed, or
    something that the run would overwrite; and if `resume` is set and no run has begun.
    """
    then = folder.recorded(resume)
    if then is None:
        if resume:
            raise InputError(f"{folder.path} holds no run that could go on: leave --resume out to begin one there")
        if there := [name for name in NAMES if os.path.lexists(folder.path / name)]:
            raise InputError(f"{folder.path} has {there[0]} and no {RUN_FILE}: {_REMEDY}")
        with writing(folder.path, _REMEDY):
            folder.record({**begun, **places})
        return
    for key, value in json.loads(json.dumps({**begun, **places})).items():
        if then.get(key) != value:
            raise InputError(
                f"{folder.path}: the run began with another {key} ({_short(then.get(key))}, not {_short(value)}): give "
                f"the same, or {_REMEDY}"
            )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _read(file: Path) -> dict[str, Any]:
    """The content of a stage's file; empty if it is missing or damaged: the stage is then done again."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    sound = isinstance(document, dict) and isinstance(document.get("seconds"), float)
    return document if sound else {}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
