"""Stores the state of alarms in files, so that a restart neither renews a revoked promise nor forgets evidence.

Each model has one small file. The file names the calibration of its alarms; alarms of another calibration are not
restored. A revocation is on disk before the answer that caused it leaves the server; other changes follow within
seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import TextIO

from tuili.engine import Promises
from tuili.errors import InputError
from tuili.files import check_folder_place, write_durably

LOG = logging.getLogger(__name__)
VERSION = 1
"""The version of the file format."""


def default_state_folder() -> Path:
    """`tuili` in the state folder that the XDG Base Directory Specification names, or in the temporary folder if the
    user has neither that nor a home.
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # pathlib's raises an error where there is no home
    states = home / ".local" / "state" if home.is_absolute() else Path(tempfile.gettempdir())
    return Path(os.environ.get("XDG_STATE_HOME") or states) / "tuili"


class AlarmFiles:
    """The files of a folder, which is created when needed. Without a folder, nothing is stored.

    Each model has its own file, named after the model and its folder. Only one server at a time writes it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._locks: dict[Path, TextIO] = {}
        self._kept: dict[Path, tuple[str, int]] = {}
        """For each file, the calibration and the number of changes that it reflects."""
        self._warned: set[str] = set()
        self._turn = asyncio.Lock()

    def check(self) -> None:
        """Raise `InputError` if the folder cannot be written to."""
        if self._folder is not None:
            check_folder_place(self._folder)

    def restore(self, model: str, path: Path, promises: Promises) -> bool:
        """Restore the alarms of a model from its file. Returns whether they were restored.

        Args:
            path: the model's folder.
        """
        file = self._file(model, path)
        if file is None or promises.alarms is None:
            return False
        try:
            content = json.loads(file.read_bytes())
            if content["version"] == VERSION and content["calibration"] != promises.calibration_hash:
                LOG.warning("%s is of another calibration of %s: alarms begin anew", file, model)
                return False
            if content["version"] != VERSION:
                raise InputError(f"version {content['version']!r}, and {VERSION} is needed")
            promises.alarms.restore(content["alarms"])
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            LOG.error("%s is damaged (%s): the alarms of %s begin anew", file, error, model)
            return False
        self._kept[file] = (promises.calibration_hash, promises.alarms.changes)
        return True

    async def keep(self, model: str, path: Path, promises: Promises) -> None:
        """Write the state of a model's alarms, if it has changed."""
        file, alarms = self._file(model, path), promises.alarms
        if file is None or alarms is None:
            return
        async with self._turn:
            now = (promises.calibration_hash, alarms.changes)
            if self._kept.get(file) == now or (file not in self._kept and alarms.changes == 0):
                return
            content = {"version": VERSION, "calibration": promises.calibration_hash, "alarms": alarms.state()}
            try:
                if await asyncio.to_thread(self._write, file, json.dumps(content).encode()):
                    self._kept[file] = now
                else:
                    self._warn(
                        f"another server keeps the alarms of {model} in {file}: give this one another --state-dir"
                    )
            except OSError as error:
                self._warn(f"{file}: the state of alarms cannot be kept: {error.strerror or error}")

    def close(self) -> None:
        """Let other servers write the files."""
        while self._locks:
            self._locks.popitem()[1].close()

    def _file(self, model: str, path: Path) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"{model}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}.json"

    def _write(self, file: Path, content: bytes) -> bool:
        """Write a file, unless another server has locked it."""
        if file not in self._locks:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = file.with_suffix(".lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._locks[file] = lock
        write_durably(file, content)
        return True

    def _warn(self, message: str) -> None:
        """Log a message once."""
        if message not in self._warned:
            self._warned.add(message)
            LOG.error(message)
