"""The models that are served: found by name, loaded anew when their folder changes, none of their requests dropped."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from tuili.engine import Engine, Service, load_engine
from tuili.errors import InputError
from tuili.model.folder import load_model, resolve
from tuili.serve.errors import HttpError

LOG = logging.getLogger(__name__)
Make = Callable[[Path], Engine]


@dataclass
class Served:
    """One model at work. `created`: when it was loaded, in seconds of Unix time."""

    name: str
    path: Path
    service: Service
    engine: Engine
    stamp: tuple[tuple[str, int, int], ...]
    created: int = field(default_factory=lambda: int(time.time()))


def stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a folder's files, by which a change shows. What vanishes meanwhile is left out."""
    found = []
    for file in sorted(path.rglob("*")):
        with suppress(FileNotFoundError):
            told = file.stat()
            if S_ISREG(told.st_mode):
                found.append((str(file.relative_to(path)), told.st_size, told.st_mtime_ns))
    return tuple(found)


def _settle() -> None:
    """Give back the memory that loading has left free, which glibc keeps otherwise: some 35 MB each time with nano. And
    have the garbage collector leave alone what is there now, which stays: looking through it all would hold up every
    answer for a fifth of a second, again and again.
    """
    with suppress(AttributeError, OSError):  # other C libraries
        ctypes.CDLL(None).malloc_trim(0)
    gc.freeze()
    gc.enable()


class Models:
    """All models of a server, by name; the first is the default of pages and probes."""

    def __init__(self, folders: Sequence[str], make: Make) -> None:
        self._make = make
        self._paths: dict[str, Path] = {}
        for folder in folders:
            path = resolve(folder)
            name = path.name if path.name != "model" else path.parent.name
            if name in self._paths:
                raise InputError(f"two models are called {name}: name their folders otherwise")
            self._paths[name] = path
        self._served: dict[str, Served] = {}
        self._seen: dict[str, tuple[tuple[str, int, int], ...]] = {}
        """What folders were like at the last look."""
        self.failure: Exception | None = None
        """Why a model could not be loaded at the start."""

    @property
    def names(self) -> list[str]:
        """Names, in the order in which they were given."""
        return list(self._paths)

    @property
    def all(self) -> list[Served]:
        """Those that are loaded."""
        return list(self._served.values())

    @property
    def ready(self) -> bool:
        """Whether all of them are, and answer."""
        return all(self.answers(name) for name in self._paths)

    def answers(self, name: str) -> bool:
        """Whether a model is loaded and takes requests."""
        return name in self._served and self._served[name].service.alive

    def find(self, name: str) -> Served:
        """A model by its name. Raises `HttpError` for one that is not served, or not yet."""
        found = self._served.get(name)
        if found is None and name in self._paths:
            raise HttpError(503, f"model {name!r} is being loaded", "model_loading", "model", retry_after=1)
        if found is None:
            raise HttpError(
                404, f"model {name[:100]!r} is not served here: use {', '.join(self.names)}", "model_not_found", "model"
            )
        return found

    async def start(self) -> bool:
        """Load all of them. Returns false, and notes the `failure`, where one cannot be loaded."""
        try:
            for name in self._paths:
                self._served[name] = await self._load(name)
        except Exception as error:
            self.failure = error
        _settle()
        return self.failure is None

    async def stop(self) -> None:
        """End all of them; what is still at work is cancelled."""
        for served in self._served.values():
            await served.service.__aexit__(None, None, None)
        gc.unfreeze()

    async def refresh(self) -> list[str]:
        """Load those anew whose folders have changed, and are still since the last look, as when all has been copied.
        What they were asked before is answered by the old weights.

        A folder that cannot be loaded leaves the old model in its place. Returns the names of those that are new.
        """
        changed = []
        for name, served in list(self._served.items()):
            now, last = stamp(served.path), self._seen.get(name)
            self._seen[name] = now
            if served.service.alive and (now == served.stamp or now != last):
                continue
            try:
                self._served[name] = await self._load(name)
            except Exception as error:  # whatever it is, the old model serves on
                LOG.error("model %s stays as it was: %s", name, error)
                served.stamp = now
                continue
            changed.append(name)
            await served.service.drained()
            await served.service.__aexit__(None, None, None)
        return changed

    async def watch(self, seconds: float) -> None:
        """Look for changed folders again and again, and for engines that have failed."""
        while True:
            await asyncio.sleep(seconds)
            try:
                if await self.refresh():  # what the old ones leave behind can go
                    gc.unfreeze()
                    await asyncio.to_thread(gc.collect)
                    _settle()
            except Exception:
                LOG.exception("looking for changed models failed")

    async def _load(self, name: str) -> Served:
        path = self._paths[name]
        before = stamp(path)
        engine = await asyncio.to_thread(self._make, path)
        service = await Service(engine).__aenter__()
        return Served(name, path, service, engine, before)


def make_engine(slots: int, waiting: int, compiled: bool, int8: bool) -> Make:
    """How a server makes its engines. Weights are copied, lest a folder that is overwritten changes what is at work."""

    def make(path: Path) -> Engine:
        loaded = load_model(path)
        for tensor in (*loaded.model.parameters(), *loaded.model.buffers()):
            tensor.data = tensor.data.clone()
        return load_engine(loaded, slots=slots, waiting=waiting, compiled=compiled, int8=int8)

    return make
