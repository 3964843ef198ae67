"""The folder of a run of any kind: the names in it, the lock, and `run.json`, which fixes what all its sessions share.

`training_folder` adds the folder of a recipe's run. `checkpoint` defines what checkpoints contain, `log` the log.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tuili.errors import InputError
from tuili.files import check_folder_place, write_durably, writing
from tuili.provenance import code_hash, current_versions
from tuili.train.dist.processes.place import start_by_torchrun

RUN_FILE = "run.json"
REWRITE_REMEDY = "add --resume to write it again"
AGAIN_REMEDY = "mend that, and give the same command again"
"""For errors before there is a run that could be resumed."""
LOOK_SECONDS = 0.2


class RunFolder:
    """The folder of a run: `run.json`, which a session writes when the run has begun, and the `model` that it makes.

    Raises `InputError` if no folder can be made at `path`.
    """

    def __init__(self, path: Path) -> None:
        check_folder_place(path)
        self.path, self.model, self.run_file = path, path / "model", path / RUN_FILE
        self.checkpoints = path / "checkpoints"
        self._lock, self._session = path / ".lock", path / ".session"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and lock other sessions out of it. Raises `InputError` if another one is training in it."""
        with ExitStack() as stack:
            with writing(self.path, "choose another place"):
                self.path.mkdir(parents=True, exist_ok=True)
                lock = stack.enter_context(self._lock.open("w"))
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InputError(
                        f"{self.path} is being trained by another process: wait until it ends, or choose another --out"
                    ) from None
            yield

    def name_session(self) -> str:
        """A unique name for this session, saved in the folder so that processes on any machine can find it there."""
        session = secrets.token_hex(8)
        with writing(self._session, "make room"):
            write_durably(self._session, session.encode())
        return session

    def refuse_other_session(self, session: str, seconds: float) -> None:
        """Raise `InputError` if this does not prove, within `seconds`, to be the folder in which that session of
        another process trains."""
        until = time.monotonic() + seconds
        while self._found_session() != session:
            if time.monotonic() >= until:
                raise InputError(
                    f"{self.path} is not the folder in which process 0 trains: start all with the same --out, on a "
                    "file system that they share"
                )
            time.sleep(LOOK_SECONDS)

    def _found_session(self) -> str:
        try:
            return self._session.read_text()
        except (OSError, ValueError):
            return ""

    def refuse_own_model(self, start: Path, setting: str) -> None:
        """Raise `InputError` if the run would read a model from where it writes its own. `setting` says who asks."""
        if start.resolve() == self.model.resolve():
            raise InputError(f"{setting} is where this run writes its own model: choose another --out")

    def refuse_inside(self, model: Path, setting: str) -> None:
        """Like `refuse_own_model`, and also if the run would write into a model's folder, which holds nothing else."""
        self.refuse_own_model(model, setting)
        if self.path.resolve().is_relative_to(model.resolve()):
            raise InputError(f"--out {self.path} is in the folder of {setting}: choose another one")

    def recorded(self, resume: bool) -> dict[str, Any] | None:
        """The contents of `run.json`; None if no run has begun.

        Raises `InputError` if one has begun and `resume` is not set, and if the file is damaged.
        """
        if not self.run_file.is_file():
            return None
        if not resume:
            raise InputError(f"{self.path} already holds a run: add --resume to go on, or choose another --out")
        try:
            return dict(json.loads(self.run_file.read_bytes()))
        except (ValueError, TypeError, RecursionError) as error:
            raise self.damaged() from error

    def begun_on(self) -> str | None:
        """The kind of device that the run began on; None if none has begun."""
        return self._begun_with().get("device")

    def begun_by_torchrun(self) -> bool:
        """Whether the run began in processes started by the same torchrun that started this one."""
        start = start_by_torchrun()
        return start is not None and self._begun_with().get("start") == start

    def _begun_with(self) -> dict[str, Any]:
        """The contents of `run.json`; empty if it is damaged, which the methods that need it report."""
        try:
            return dict(json.loads(self.run_file.read_bytes()))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}

    def refuse_other(self, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Raise `InputError`, which names the first difference, if the run began with something else."""
        flat_then, flat_now = dict(flattened(then)), dict(flattened(now))
        for key in sorted(flat_then.keys() | flat_now.keys()):
            if flat_now.get(key) != flat_then.get(key):
                raise InputError(
                    f"{self.path}: the run began with {key.removeprefix('recipe.')} = {flat_then.get(key)}, not "
                    f"{flat_now.get(key)}: resume it with the same recipe and files, or choose another --out"
                )

    def changes_since(
        self, fixed: Mapping[str, Any], resume: bool, *made: Path, newer: Collection[str] = ()
    ) -> list[str] | None:
        """How the environment differs from the one in which a run began by `begin_with`; None if none has begun.

        made: further paths that a run makes. newer: what runs of earlier versions of Tuili did not record. Raises
        `InputError` if a run has begun and `resume` is not set, if it began otherwise, and if there is something that
        another run has made.
        """
        then = self.recorded(resume)
        if then is None:
            for place in (self.checkpoints, self.model, *made):
                if os.path.lexists(place):
                    raise InputError(f"{self.path} has {place.name} and no {RUN_FILE}: choose another --out")
            return None
        try:
            environment_then = dict(then.pop("environment"))
        except (ValueError, LookupError, TypeError) as error:
            raise self.damaged() from error
        self.refuse_other(then, {name: value for name, value in fixed.items() if name in then or name not in newer})
        return environment_changes(environment_then, self.environment_now())

    def environment_now(self) -> dict[str, Any]:
        """What the bits of a session depend on besides what is fixed."""
        return environment()

    def begin_with(self, fixed: Mapping[str, Any]) -> None:
        """Record that a run has begun, and what all its sessions have in common."""
        with writing(self.run_file, "choose another place"):
            self.record({"environment": self.environment_now()} | dict(fixed))

    def damaged(self) -> InputError:
        """The error for a `run.json` that no session can have written."""
        return InputError(f"{self.run_file} is damaged: choose another --out")

    def identity(self) -> str:
        """An identifier that all checkpoints of this run share, and none of a run with another `run.json`. It does not
        depend on the environment in which the run began.
        """
        fixed = {name: value for name, value in json.loads(self.run_file.read_bytes()).items() if name != "environment"}
        return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()

    def record(self, document: Mapping[str, Any]) -> None:
        """Write `run.json`."""
        write_durably(self.run_file, json.dumps(document, indent=2).encode())


def environment() -> dict[str, Any]:
    """What else the bits of a run depend on: torch's current threads, this code, and the versions below it."""
    return {"threads": torch.get_num_threads(), "code": loaded_code()} | current_versions()


@cache
def loaded_code() -> str:
    """The hash of this code as this process loaded it."""
    return code_hash()


def environment_changes(then: Mapping[str, Any], now: Mapping[str, Any] | None = None) -> list[str]:
    """How `now`, by default the current environment, differs from a recorded one."""
    now = environment() if now is None else now
    return [f"{name} from {then[name]} to {now.get(name)}" for name in then if then[name] != now.get(name)]


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested sections, with their dotted names."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
