"""The models of a server: found by name, and reloaded when a file in their folder changes, without losing a
request.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from tuili.engine import AlarmReading, Engine, RunOptions, Service, load_engine
from tuili.errors import InputError
from tuili.serve.alarm_files import AlarmFiles
from tuili.serve.errors import HttpError
from tuili.serve.keys import ANONYMOUS
from tuili.serve.served_model import FolderStamp, ServedModel, folder_stamp
from tuili.store import resolve_model

LOG = logging.getLogger(__name__)
RESET_REMEDY = "calibrate on requests like these, or reset the alarm (POST /v1/operator/alarms/reset)"
MAX_NAMED_CLIENTS = 12
"""Maximum number of clients that a log line names."""
EngineFactory = Callable[[Path], Engine]
"""Creates an engine for the model in a folder."""


class ModelRegistry:
    """All models of a server, by name, in the order in which they were given.

    folders: folders, hub names or shipped names. A model has the name of its folder, or of the parent folder if its own
    is called `model`. alarm_files: stores the state of alarms; by default it is not stored.
    """

    def __init__(
        self, folders: Sequence[str], make_engine: EngineFactory, alarm_files: AlarmFiles | None = None
    ) -> None:
        self._make_engine, self._alarm_files = make_engine, alarm_files or AlarmFiles()
        self._paths: dict[str, Path] = {}
        for folder in folders:
            path = resolve_model(folder)
            name = path.name if path.name != "model" else path.parent.name
            if name in self._paths:
                raise InputError(f"two models are called {name}: name their folders otherwise")
            self._paths[name] = path
        self._loaded: dict[str, ServedModel] = {}
        self._last_stamps: dict[str, FolderStamp] = {}
        """The state of the folders at the last check."""
        self._leaving: set[asyncio.Task[None]] = set()
        """The tasks that close replaced models, once these have answered the requests that they had accepted."""
        self.failure: Exception | None = None
        """Why a model could not be loaded at startup."""

    @property
    def names(self) -> list[str]:
        """The names of all models, loaded or not."""
        return list(self._paths)

    @property
    def loaded(self) -> list[ServedModel]:
        """The models that are loaded."""
        return list(self._loaded.values())

    @property
    def ready(self) -> bool:
        """Whether every model is loaded and accepts requests."""
        return all(self.is_ready(name) for name in self._paths)

    def is_ready(self, name: str) -> bool:
        """Whether a model is loaded and accepts requests."""
        return name in self._loaded and self._loaded[name].alive

    def find(self, name: str) -> ServedModel:
        """The model with this name. Raises `HttpError` if it is not served, or not loaded yet."""
        served = self._loaded.get(name)
        if served is None and name in self._paths:
            raise HttpError(503, f"model {name!r} is being loaded", "model_loading", "model", retry_after=1)
        if served is None:
            raise HttpError(
                404, f"model {name[:100]!r} is not served here: use {', '.join(self.names)}", "model_not_found", "model"
            )
        return served

    async def start(self) -> bool:
        """Load all models. If one cannot be loaded, sets `failure` and returns false."""
        try:
            for name in self._paths:
                self._loaded[name] = await self._load(name)
        except Exception as error:
            self.failure = error
        await asyncio.to_thread(_settle_memory)
        return self.failure is None

    async def stop(self) -> None:
        """Stop all engines. Requests that they are still answering are cancelled."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for served in self._loaded.values():
            await served.close()
            await self.keep_alarms(served)
        self._alarm_files.close()
        gc.unfreeze()

    async def keep_alarms(self, served: ServedModel) -> None:
        """Store the state of a model's alarms, if it has changed, and log which traffic has raised one."""
        for reading in served.new_revocations():
            LOG.warning("model %s: a promise is revoked: %s; %s", served.name, describe(reading), RESET_REMEDY)
        if self._loaded.get(served.name) is served:  # a replaced model may have had other promises
            await self._alarm_files.keep(served.name, served.path, served.engine.promises)

    async def keep_if_revoked(self, served: ServedModel) -> None:
        """Call `keep_alarms` at once, if an alarm has been raised that has not been logged yet."""
        if served.has_new_revocations:
            await self.keep_alarms(served)

    async def keep_all_alarms(self, seconds: float) -> None:
        """Store the state of all alarms every `seconds` seconds, forever."""
        while True:
            await asyncio.sleep(seconds)
            for served in self.loaded:
                try:
                    await self.keep_alarms(served)
                except Exception:
                    LOG.exception("keeping the alarms of %s failed", served.name)

    async def refresh(self) -> list[str]:
        """Reload each model whose engine has failed, or whose folder has changed since it was loaded but not since the
        last check, which means that copying has ended. The old model answers the requests that it has accepted; nothing
        waits for them.

        If a folder cannot be loaded, the old model stays in place. Returns the names of the reloaded models.
        """
        changed = []
        for name, served in list(self._loaded.items()):
            stamp, last_stamp = folder_stamp(served.path), self._last_stamps.get(name)
            self._last_stamps[name] = stamp
            if served.alive and (stamp == served.stamp or stamp != last_stamp):
                continue
            try:
                self._loaded[name] = await self._load(name)
            except Exception as error:  # whatever it is, the old model keeps serving
                LOG.error("model %s stays as it was: %s", name, error)
                served.stamp = stamp
                continue
            changed.append(name)
            LOG.info("model %s is loaded anew", name)
            task = asyncio.create_task(_let_go(served))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            await asyncio.sleep(0)  # lets the task begin: if cancelled before that, it closes nothing
        return changed

    async def watch(self, seconds: float) -> None:
        """Refresh the models every `seconds` seconds, forever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except Exception:
                LOG.exception("looking for changed models failed")

    async def _load(self, name: str) -> ServedModel:
        path = self._paths[name]
        stamp = folder_stamp(path)
        engine = await asyncio.to_thread(self._make_engine, path)
        before = self._loaded.get(name)
        if before is None or not engine.promises.take_over(before.engine.promises):
            await asyncio.to_thread(self._alarm_files.restore, name, path, engine.promises)
        service = await Service(engine).__aenter__()
        return ServedModel(name, path, service, engine, stamp)


def describe(reading: AlarmReading) -> str:
    """Describe an alarm in one line, for the log."""
    first = {"attempts": "first attempts", "confidence": "first attempts, by their confidence,"}
    what = first.get(reading.watches, f"answers at {reading.name}")
    whose = "of everybody" if reading.client is None else f"of the key {reading.client}"
    most = sorted(reading.given.items(), key=lambda item: -item[1])[:MAX_NAMED_CLIENTS]
    given = ", ".join(f"{client or ANONYMOUS} {share:.0%}" for client, share in most if share > 0)
    return f"{reading.seen} {what} {whose}" + (f"; evidence from {given}" if given else "")


async def _let_go(served: ServedModel) -> None:
    """Close a replaced model once it has answered the requests that it had accepted, and return its memory."""
    try:
        await served.service.drained()
    finally:
        await served.close()
    del served
    await asyncio.to_thread(gc.collect)  # examines only objects created since startup: milliseconds
    await asyncio.to_thread(_return_memory)


def _settle_memory() -> None:
    """Return freed memory, and exclude everything loaded at startup from garbage collection.

    A collection that examines all loaded objects stops everything for a fifth of a second or more. An engine has no
    cycles, and is freed when nothing refers to it. Later loads add only some thousand objects.
    """
    _return_memory()
    gc.freeze()
    gc.enable()


def _return_memory() -> None:
    """Make glibc return freed memory, which it would otherwise keep: some 35 MB for each load of nano."""
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def engine_factory(slots: int, waiting: int, **options: Unpack[RunOptions]) -> EngineFactory:
    """How a server creates its engines: with `slots` attempts decoded together, at most `waiting` attempts queued, and
    the options of `tuili.engine.load_runner`.

    Each engine has its own copy of the weights in memory, so overwriting the files of a folder does not affect it.
    """

    def make_engine(path: Path) -> Engine:
        return load_engine(path, slots=slots, waiting=waiting, **options)

    return make_engine
