"""Jobs side by side: the same results as one after the other, and a clear end when one fails."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness.tiny import save_tiny
from tests.processes import quick_context, start_quickly
from tests.waiting import GUARD_SECONDS, eventually
from tuili.errors import InputError, TuiliError
from tuili.eval.parallel import JobProgress, WorkerPlan, plan_workers, run_jobs
from tuili.model import LoadedModel, load_model

STALL_SECONDS = 2 * GUARD_SECONDS
TWO_WORKERS = WorkerPlan(processes=2, threads=1)


def logit(token: int, loaded: LoadedModel, progress: JobProgress) -> tuple[int, float]:
    progress(1, 2)
    output = loaded.model(input_ids=torch.tensor([[token, 7]]))
    progress(2, 2)
    return os.getpid(), output.logits.sum().item()


def refuse(loaded: LoadedModel, progress: JobProgress) -> None:
    raise InputError("no such thing")


def die(loaded: LoadedModel, progress: JobProgress) -> None:
    os._exit(9)


def stall(place: Path, loaded: LoadedModel, progress: JobProgress) -> None:
    place.write_text(str(os.getpid()))
    time.sleep(STALL_SECONDS)
    place.with_suffix(".ended").touch()


def refuse_later(place: Path, loaded: LoadedModel, progress: JobProgress) -> None:
    eventually(lambda: place.exists() and place.read_text(), "the other job does not begin")
    refuse(loaded, progress)


def gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists() or "State:\tZ" in Path(f"/proc/{process}/status").read_text()


@pytest.fixture(autouse=True)
def quick_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    start_quickly(monkeypatch)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return load_model(str(save_tiny(tmp_path_factory.mktemp("parallel") / "model")))


def results(loaded: LoadedModel, processes: int) -> tuple[dict[str, Any], list[Any]]:
    """The results of three jobs, and the progress that they report."""
    reported: list[Any] = []
    jobs = {f"token {token}": partial(logit, token) for token in (3, 4, 5)}
    return run_jobs(loaded, jobs, lambda *parts: reported.append(parts), WorkerPlan(processes, 1)), reported


def test_side_by_side_is_as_one_after_the_other(
    loaded: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the model that was handed over, although its folder has the name of a shipped one."""
    (tmp_path / "nano").symlink_to(loaded.path)
    monkeypatch.chdir(tmp_path)
    own = load_model("./nano")
    (serial, serial_progress), (parallel, parallel_progress) = (results(own, processes) for processes in (1, 2))
    assert list(parallel) == list(serial)
    for name, (process, value) in serial.items():
        assert process == os.getpid()
        assert parallel[name][0] != process
        assert parallel[name][1] == pytest.approx(value, rel=1e-6)
    assert sorted(parallel_progress) == sorted(serial_progress)


def test_a_job_that_dies_ends_all(loaded: LoadedModel) -> None:
    with pytest.raises(TuiliError, match="killed"):
        run_jobs(loaded, {"bad": die, "good": partial(logit, 3)}, lambda *_: None, TWO_WORKERS)


def test_nobody_waits_for_the_others_when_one_fails(loaded: LoadedModel, tmp_path: Path) -> None:
    place = tmp_path / "process"
    jobs = {"long": partial(stall, place), "bad": partial(refuse_later, place)}
    with pytest.raises(InputError, match="no such thing"):
        run_jobs(loaded, jobs, lambda *_: None, TWO_WORKERS)
    eventually(lambda: gone(int(place.read_text())), "the other job goes on")
    assert not place.with_suffix(".ended").exists()


def stall_in_a_worker(folder: Path, place: Path) -> None:
    """For one job one of the two workers is started, as outside of tests."""
    run_jobs(load_model(str(folder)), {"long": partial(stall, place)}, lambda *_: None, TWO_WORKERS)


def test_they_end_when_the_process_that_began_them_is_killed(loaded: LoadedModel, tmp_path: Path) -> None:
    place = tmp_path / "process"
    first = quick_context("spawn").Process(target=stall_in_a_worker, args=(loaded.path, place))
    first.start()
    try:
        eventually(lambda: place.exists() and place.read_text(), "it does not begin")
    finally:
        first.kill()
        first.join()
    eventually(lambda: gone(int(place.read_text())), "the worker goes on")
    assert not place.with_suffix(".ended").exists()


def test_cores_are_shared_by_processes_of_one_thread(loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuili.eval.parallel.usable_cores", lambda: 2)
    assert plan_workers(loaded, 5) == WorkerPlan(2, 1)
    assert plan_workers(loaded, 1) == WorkerPlan(1, torch.get_num_threads())
