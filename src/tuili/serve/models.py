"""The models that are served: found by name, loaded anew when their folder changes, none of their requests dropped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuili.engine.engine import Engine
from tuili.engine.service import Service
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
    """What tells that a folder has changed: names, sizes and times of its files."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return tuple(
        (str(file.relative_to(path)), found.st_size, found.st_mtime_ns) for file in files for found in [file.stat()]
    )


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
        """Whether all of them are."""
        return len(self._served) == len(self._paths)

    def find(self, name: str) -> Served:
        """A model by its name. Raises `HttpError` for one that is not served."""
        found = self._served.get(name)
        if found is None:
            raise HttpError(
                404, f"model {name[:100]!r} is not served here: use {', '.join(self.names)}", "model_not_found", "model"
            )
        return found

    async def start(self) -> None:
        """Load all of them."""
        for name in self._paths:
            self._served[name] = await self._load(name)

    async def stop(self) -> None:
        """End all of them; what is still at work is cancelled."""
        for served in self._served.values():
            await served.service.__aexit__(None, None, None)

    async def refresh(self) -> list[str]:
        """Load those anew whose folders have changed, and are still since the last look, as when all has been copied.
        What they were asked before is answered by the old weights.

        A folder that cannot be loaded leaves the old model in its place. Returns the names of those that are new.
        """
        changed = []
        for name, served in list(self._served.items()):
            now, last = stamp(served.path), self._seen.get(name)
            self._seen[name] = now
            if now == served.stamp or now != last:
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
        """Look for changed folders again and again."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()

    async def _load(self, name: str) -> Served:
        path = self._paths[name]
        before = stamp(path)
        engine = await asyncio.to_thread(self._make, path)
        service = await Service(engine).__aenter__()
        return Served(name, path, service, engine, before)


def make_engine(slots: int, waiting: int, compiled: bool, int8: bool) -> Make:
    """How a server makes its engines."""
    return lambda path: Engine(load_model(path), slots=slots, waiting=waiting, compiled=compiled, int8=int8)
