"""Models that a command line of Tuili makes in the folder of a run, once. An interrupted run goes on.

Each session of a run leaves its hours and the code that it ran in `sessions.jsonl` beside the model, so that a record
can tell both.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.errors import InputError
from tuili.provenance import code_hash
from tuili.store import LineageEntry, read_lineage

SESSIONS = "sessions.jsonl"


def made(folder: Path, is_of: Callable[[LineageEntry], bool], *command: str) -> Path:
    """The model of a run's folder, made by a command unless it is there. One that other code has made is told.

    is_of: whether the last entry of its lineage is of what the command asks for.
    """
    model = folder / "model"
    if model.is_dir() and not is_of(read_lineage(model)[-1]):
        numbered = (folder.with_name(f"{folder.name}.{number}") for number in count(1))
        aside = folder.rename(next(place for place in numbered if not place.exists()))
        print(f"bench: {folder.name} is of another recipe, and is put aside as {aside.name}")
    if not model.is_dir():
        print(f"bench: {' '.join(command[:2])} in {folder.name}", flush=True)
        resume = ["--resume"] if (folder / "run.json").is_file() else []
        begun = monotonic()
        try:
            tuili(*command, "--out", str(folder), *resume)
        finally:
            _keep_session(folder, (monotonic() - begun) / 3600)
    elif other := _other_code(folder):
        print(f"bench: {folder.name} is of other code, {' and '.join(other)}: remove its folder to make it again")
    return model


def runs_told(models: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """For each model's run its hours, all sessions and all that is not steps included where these were kept, and the
    hashes of Tuili's code that made it, as far as they are not the present one."""
    found = dict[str, dict[str, Any]]()
    for model in models:
        folder = model.parent
        if sessions := _sessions(folder):
            found[folder.name] = {"hours": round(sum(session["hours"] for session in sessions), 4)}
        else:  # made by the verb itself
            found[folder.name] = {"hours": round(read_lineage(model)[-1].hours, 4), "of_steps_alone": True}
        if other := _other_code(folder):
            found[folder.name]["other_code"] = other
    return found


def tuili(*arguments: str) -> None:
    """Run a command line of Tuili, with its output where ours is. A Ctrl-C goes to it, too: it saves its step first.

    Raises `InputError` where it fails, and `KeyboardInterrupt` where it was interrupted.
    """
    code = ended([sys.executable, "-m", "tuili", *arguments])
    if code == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise InputError(f"tuili {' '.join(arguments)} failed with exit code {code}, and says above why")


def ended(command: Sequence[str]) -> int:
    """The exit code of a command, which has come to its end, also where there was a Ctrl-C or a SIGTERM meanwhile.

    Raises `KeyboardInterrupt` behind one of these. A terminal sends a Ctrl-C to both; a SIGTERM is passed on as one,
    unless the command, as one that a shell has begun in the background, takes no notice of that.
    """
    with subprocess.Popen(command) as child, _passed_on(child):
        try:
            return child.wait()
        except KeyboardInterrupt:
            child.wait()
            raise


@contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        child.send_signal(signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_session(folder: Path, hours: float) -> None:
    if folder.is_dir():
        with (folder / SESSIONS).open("a") as file:
            file.write(f"{json.dumps({'hours': hours, 'code': code_hash()})}\n")


def _sessions(folder: Path) -> list[dict[str, Any]]:
    file = folder / SESSIONS
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def _other_code(folder: Path) -> list[str]:
    """The hashes of code that began the run or went on with it, but for the present one."""
    begun, codes = folder / "run.json", {session["code"] for session in _sessions(folder)}
    if begun.is_file() and (code := json.loads(begun.read_text()).get("environment", {}).get("code")):
        codes.add(code)
    return sorted((codes or {"unknown"}) - {code_hash()})
