"""Independent measurements of one model side by side: decoding a small model keeps little more than one core busy.

What a measurement is does not matter here; `evaluation` says which there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from queue import Empty, Queue
from typing import Any, NamedTuple

import torch

from tuili.errors import TuiliError
from tuili.machine import usable_cores
from tuili.model.folder import LoadedModel, load_model

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many parts of it are finished, and how many there are."""

Told = Callable[[int, int], None]
"""Called with how many parts are finished, and how many there are."""
Measurement = Callable[[LoadedModel, Told], Any]
"""Measures a model and tells how far it is. To run side by side, they and what they find must cross processes."""


class _Worker(NamedTuple):
    loaded: LoadedModel
    told: Queue[tuple[str, int, int]]


_worker: _Worker


def measure(loaded: LoadedModel, measurements: Mapping[str, Measurement], progress: Progress) -> dict[str, Any]:
    """What each measurement finds, by its name. Several of them share the cores of a CPU, one thread each, and begin
    in their order; then the model is read from its folder. On a GPU one comes after the other.

    Raises what a measurement raises, and `TuiliError` when a process is killed.
    """
    processes = min(len(measurements), usable_cores()) if loaded.model.device.type == "cpu" else 1
    if processes == 1:
        return {name: own(loaded, _tell(name, progress)) for name, own in measurements.items()}
    context = get_context("spawn")
    told: Queue[tuple[str, int, int]] = context.Queue()  # type: ignore[assignment]  # has the same methods
    with ProcessPoolExecutor(processes, context, _open, (str(loaded.path), told)) as pool:
        futures = {name: pool.submit(_measure, name, own) for name, own in measurements.items()}
        try:
            waiting = set(futures.values())
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                _pass_on(told, progress)
                for future in done:
                    future.result()
            return {name: future.result() for name, future in futures.items()}
        except BrokenProcessPool as error:
            raise TuiliError("a process that measured the model was killed; was there too little memory?") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _tell(name: str, progress: Progress) -> Told:
    return lambda finished, total: progress(name, finished, total)


def _pass_on(told: Queue[tuple[str, int, int]], progress: Progress) -> None:
    try:
        while True:
            progress(*told.get_nowait())
    except Empty:
        pass


def _open(folder: str, told: Queue[tuple[str, int, int]]) -> None:
    """Prepares a process for its measurements."""
    global _worker
    torch.set_num_threads(1)
    _worker = _Worker(load_model(folder), told)


def _measure(name: str, measurement: Measurement) -> Any:
    return measurement(_worker.loaded, lambda finished, total: _worker.told.put((name, finished, total)))
