"""Independent measurements of one model side by side: decoding a small model keeps little more than one core busy.

What a measurement is does not matter here; `evaluation` says which there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from multiprocessing.queues import SimpleQueue
from typing import Any, NamedTuple, TypeAlias

import torch

from tuili.errors import TuiliError
from tuili.machine import usable_cores
from tuili.model import LoadedModel, load_model
from tuili.parent import end_with_parent

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts of it are finished, and how many there are."""

Told = Callable[[int, int], None]
"""Called with how many parts are finished, and how many there are."""
Measurement = Callable[[LoadedModel, Told], Any]
"""Measures a model and tells how far it is. To run side by side, they and what they find must cross processes."""


Heard: TypeAlias = "SimpleQueue[tuple[str, int, int]]"
"""Where a worker puts what `Progress` is to be called with."""


class Sharing(NamedTuple):
    """How measurements share the cores: so many processes, of so many threads each."""

    processes: int
    threads: int


class _Worker(NamedTuple):
    loaded: LoadedModel
    told: Heard


_worker: _Worker


def share_cores(loaded: LoadedModel, measurements: int) -> Sharing:
    """Several measurements share the cores of a CPU, one thread each. On a GPU one comes after the other."""
    processes = min(measurements, usable_cores()) if loaded.model.device.type == "cpu" else 1
    return Sharing(processes, torch.get_num_threads() if processes == 1 else 1)


def measure(
    loaded: LoadedModel, measurements: Mapping[str, Measurement], progress: Progress, sharing: Sharing | None = None
) -> dict[str, Any]:
    """What each measurement finds, by its name. They begin in their order, and share the cores, by default as
    `share_cores` says; several processes read the model from its folder.

    Raises what a measurement raises, and `TuiliError` when a process is killed.
    """
    processes, threads = sharing or share_cores(loaded, len(measurements))
    if processes == 1:
        return {name: own(loaded, _tell(name, progress)) for name, own in measurements.items()}
    context, others = get_context("spawn"), set(active_children())
    told: Heard = context.SimpleQueue()  # what was put is there before its measurement ends
    folder = str(loaded.path.absolute())  # a relative one may be the name of a shipped model
    with ProcessPoolExecutor(processes, context, _open, (folder, threads, told)) as pool:
        try:
            futures = {name: pool.submit(_measure, name, own) for name, own in measurements.items()}
            waiting = set(futures.values())
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                _pass_on(told, progress)  # all that those which are done have told
                for future in done:
                    future.result()
            return {name: future.result() for name, future in futures.items()}
        except BrokenProcessPool as error:
            raise TuiliError("a process that measured the model was killed; was there too little memory?") from error
        except BaseException:  # also Ctrl-C: nobody waits for what the others would still find
            for process in set(active_children()) - others:
                process.terminate()
            raise


def _tell(name: str, progress: Progress) -> Told:
    return lambda finished, total: progress(name, finished, total)


def _pass_on(told: Heard, progress: Progress) -> None:
    while not told.empty():
        progress(*told.get())


def _open(folder: str, threads: int, told: Heard) -> None:
    """Prepares a process for its measurements."""
    global _worker
    end_with_parent()
    torch.set_num_threads(threads)
    _worker = _Worker(load_model(folder), told)


def _measure(name: str, measurement: Measurement) -> Any:
    return measurement(_worker.loaded, lambda finished, total: _worker.told.put((name, finished, total)))
