"""Runs independent jobs on one model in parallel, because decoding a small model keeps little more than one core busy.

`evaluation` and `calibration.calibrate` define the jobs.
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
from tuili.eval.progress import JobProgress, Progress
from tuili.machine import usable_cores
from tuili.model import LoadedModel, load_model
from tuili.parent import end_with_parent
from tuili.store import ImportedModel

Measured: TypeAlias = LoadedModel | ImportedModel
"""One of Tuili's own models in memory, or an imported one in its folder."""

Job = Callable[[Any, JobProgress], Any]
"""Measures a model and reports its progress. To run in parallel, a job and its result must be picklable."""

ProgressQueue: TypeAlias = "SimpleQueue[tuple[str, int, int]]"
"""Carries the arguments of `Progress` from the workers to the process that started them."""


class WorkerPlan(NamedTuple):
    """How jobs share the cores: the number of processes, and of threads in each."""

    processes: int
    threads: int


class _WorkerState(NamedTuple):
    loaded: LoadedModel
    progress: ProgressQueue


_worker: _WorkerState


def plan_workers(loaded: Measured, jobs: int) -> WorkerPlan:
    """The workers for this number of jobs: on a CPU they share the cores, with one thread each; on a GPU there is one.
    An imported model keeps all cores busy by itself.
    """
    if isinstance(loaded, ImportedModel):
        return WorkerPlan(1, usable_cores())
    processes = min(jobs, usable_cores()) if loaded.model.device.type == "cpu" else 1
    return WorkerPlan(processes, torch.get_num_threads() if processes == 1 else 1)


def run_jobs(
    loaded: Measured, jobs: Mapping[str, Job], progress: Progress, workers: WorkerPlan | None = None
) -> dict[str, Any]:
    """Run the jobs, which start in the order of the mapping, and return each result by name.

    `workers` defaults to the result of `plan_workers`. If there are several processes, each loads the model from its
    folder. Raises what a job raises, and `TuiliError` if a process is killed.
    """
    processes, threads = workers or plan_workers(loaded, len(jobs))
    if processes == 1:
        return {name: job(loaded, _progress_of(name, progress)) for name, job in jobs.items()}
    context, others = get_context("spawn"), set(active_children())
    queue: ProgressQueue = context.SimpleQueue()  # an item put by a job is available before the job ends
    folder = str(loaded.path.absolute())  # a relative path may be the name of a shipped model
    with ProcessPoolExecutor(processes, context, _start_worker, (folder, threads, queue)) as pool:
        try:
            futures = {name: pool.submit(_run_job, name, job) for name, job in jobs.items()}
            waiting = set(futures.values())
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)
                _drain(queue, progress)  # everything that the finished jobs reported
                for future in done:
                    future.result()
            return {name: future.result() for name, future in futures.items()}
        except BrokenProcessPool as error:
            raise TuiliError("a process that measured the model was killed; was there too little memory?") from error
        except BaseException:  # including Ctrl-C: nobody needs the results of the other jobs
            for process in set(active_children()) - others:
                process.terminate()
            raise


def _progress_of(name: str, progress: Progress) -> JobProgress:
    return lambda finished, total: progress(name, finished, total)


def _drain(queue: ProgressQueue, progress: Progress) -> None:
    while not queue.empty():
        progress(*queue.get())


def _start_worker(folder: str, threads: int, queue: ProgressQueue) -> None:
    """Prepare a worker process: it loads the model once, for all its jobs."""
    global _worker
    end_with_parent()
    torch.set_num_threads(threads)
    _worker = _WorkerState(load_model(folder), queue)


def _run_job(name: str, job: Job) -> Any:
    return job(_worker.loaded, lambda finished, total: _worker.progress.put((name, finished, total)))
