"""The folder of a run: what it began with, and the result of every stage that is done.

A stage is skipped where its result was made of the same inputs and what it has written is still there. Its inputs are
those of the run and the results of all stages before it, but for what stands under `timing`, which another session
measures otherwise. A result with `why` is that of a stage that was left out. What a stage does is left to the others.
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
"""Called with what is being done, how many parts of it are finished, and how many there are."""
NAMES = ("data", "stages", "trial", "teach", "exits", "verifier", "model")
"""The folders of a run."""
TIMING = "timing"
BEAT = 5.0
"""After so many seconds those of a stage are kept again: a kill loses no more of them."""
_REMEDY = "choose another --out"


class Interrupted(TuiliError):
    """A Ctrl-C has ended a stage, which is kept as far as it came."""


@dataclass(frozen=True)
class Done:
    """What a stage has come to, and the seconds that it took, in all sessions, but for `BEAT` of each that was killed.

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
        """The result of a stage, from an earlier session or of `work`. makes: files and folders that it writes, unless
        it is left out."""
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
        """Whether a result of a stage is there, whatever its inputs were."""
        return _read(self._path / f"{name}.json").get("result") is not None

    @contextmanager
    def _timed(self, file: Path, before: float) -> Iterator[Callable[[], float]]:
        """The seconds of a stage so far, which are kept while it lasts, and where it does not come to its end."""
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
    """Calls something now and then, as long as its block lasts. A disk that is full is left to the stage to tell."""
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

    places: what the trainings in the folder know by its path, which must be written as it was.
    Raises `InputError` where the folder holds another run, naming the first thing in which that differs, one that is
    not to be resumed, or something that the run would write over; and where `resume` is set and no run has begun.
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
    """What stands in the file of a stage; nothing where it is missing or damaged: the stage is then done again."""
    try:
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    sound = isinstance(document, dict) and isinstance(document.get("seconds"), float)
    return document if sound else {}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
