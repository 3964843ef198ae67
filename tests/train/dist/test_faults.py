"""What one process meets ends all of a run, each with a line that says what it was."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.fsdp import FSDPModule

from tests.native.calling import library
from tests.train.checkpoint.faults import flip, hang_for
from tests.train.dist import torch_ranks as ranks
from tests.train.dist.test_backends import recipe
from tuili.errors import InputError
from tuili.train import run, worker
from tuili.train.checkpoint import manager, writing
from tuili.train.dist.group import EXIT_ALONE
from tuili.train.dist.processes import rendezvous
from tuili.train.recipe import Recipe

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")


def settings(*more: str, backend: str = "fsdp2") -> list[Recipe]:
    return [recipe(f"train.dist={{backend: {backend}, timeout: 300}}", *more)] * 2


def faults(shown: list[str]) -> list[str]:
    return [text.rpartition("\n")[2] for text in shown]


def fill_disk(of: int, rank: int, patch: pytest.MonkeyPatch) -> None:
    """There is no room for what one process writes of step 2."""
    write = writing.write_durably

    def full(path: Path, data: Iterable[bytes], *more: Any) -> None:
        if rank == of and path.parent.name == ".step-00000002":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, data, *more)

    patch.setattr(writing, "write_durably", full)


@pytest.mark.parametrize(("of", "backend"), [(0, "ddp"), (1, "fsdp2")])
def test_a_full_disk_of_one_process_ends_all(processes: ranks.Ranks, of: int, backend: str, tmp_path: Path) -> None:
    run_with_a_full_disk(processes, of, backend, tmp_path)


def run_with_a_full_disk(processes: ranks.Ranks, of: int, backend: str, tmp_path: Path) -> None:
    short = settings("train.steps=2", "checkpoint.interval=1", backend=backend)
    shown = processes.train(short, tmp_path, before=partial(fill_disk, of))
    place, kept = f"{tmp_path}/checkpoints/step-00000002", "the last good one is step 1"
    fault = f"checkpoint {place} was not written: process {of}: No space left on device; {kept}"
    assert faults(shown) == [f"failed: {fault}", f"failed: process 1: {fault}"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]
    first, other = processes.train(short, tmp_path, resume=True)
    assert "going on from step 1\n" in first
    assert not other
    assert (tmp_path / "model").is_dir()


def test_a_damaged_checkpoint_is_not_the_last_good_one_of_any_process(processes: ranks.Ranks, tmp_path: Path) -> None:
    more = settings("train.steps=3", "checkpoint.interval=1")
    processes.train(more, tmp_path, before=partial(ranks.signal_after, 2, signal.SIGINT))
    flip(tmp_path / "checkpoints" / "step-00000002" / "state.json")
    shown = processes.train(more, tmp_path, resume=True, before=partial(fill_disk, 0))
    assert "step-00000002 is damaged (the checksum of state.json is wrong): going back to the one before\n" in shown[0]
    assert all(fault.endswith("No space left on device; the last good one is step 1") for fault in faults(shown))


def hang_disk(of: int, pipe: Path, rank: int, patch: pytest.MonkeyPatch) -> None:
    """The disk does not answer one process when it writes what it has of step 2."""
    patch.setattr(manager, "TELLING_SECONDS", 0)
    if rank == of:
        hang_for(patch, ".step-00000002", pipe)


@pytest.mark.parametrize(("of", "steps", "backend"), [(0, 2, "fsdp2"), (1, 3, "ddp")])
def test_a_disk_that_does_not_answer_one_process_ends_all(
    processes: ranks.Ranks, of: int, steps: int, backend: str, tmp_path: Path
) -> None:
    """At the next checkpoint, or at the end of the training."""
    out = tmp_path / "run"
    short = settings(f"train.steps={steps}", "checkpoint.interval=1", backend=backend)
    codes, (first, other) = ranks.train_once(short, out, before=partial(hang_disk, of, tmp_path / "pipe"))
    assert codes == [0, 0], "the processes do not end by themselves"
    place = re.escape(f"checkpoint {out}/checkpoints/step-00000002")
    ranks_of = {0: "0(, 1)?", 1: "(0, )?1"}[of]  # the other one may not have written its part yet
    line = rf"^{place} is still being written by process(es)? {ranks_of}: the training has waited for 0 s$"
    assert len(re.findall(line, first, re.M)) == 1
    fault = f"process {of}: the disk does not answer, and has taken nothing for 0 s; the last good one is step 1"
    assert re.fullmatch(rf"failed: {place} was not written: {fault}", first.rpartition("\n")[2])
    assert other == "ended with 1"
    kept = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert kept == [".step-00000002", "step-00000001"]
    first, other = processes.train(short, out, resume=True)
    assert "going on from step 1\n" in first
    assert not other
    assert (out / "model").is_dir()


def be_another_run(rank: int, patch: pytest.MonkeyPatch) -> None:
    """What tells this run from others is not what its checkpoints say."""
    patch.setattr("tuili.train.folder.RunFolder.identity", lambda self: "another")


def test_without_a_sound_checkpoint_none_goes_on(processes: ranks.Ranks, tmp_path: Path) -> None:
    """One part is missing, another is cut off, and the third checkpoint is that of another run."""
    stop = partial(ranks.signal_after, 6, signal.SIGINT)
    more = ("train.steps=9", "checkpoint={interval: 2, keep: 3}")
    processes.train(settings(*more), tmp_path, before=stop)
    folders = sorted((tmp_path / "checkpoints").iterdir())
    next(folders[0].glob("model-00002-*")).unlink()
    cut = next(folders[1].glob("optimizer-00001-*"))
    cut.write_bytes(cut.read_bytes()[:-9])
    shown = processes.train(settings(*more), tmp_path, resume=True, before=be_another_run)
    assert [line.partition(" is ")[2] for line in shown[0].splitlines() if "going back" in line] == [
        "of another run: going back to the one before",
        f"damaged (the checksum of {cut.name} is wrong): going back to the one before",
        f"damaged ([Errno 2] No such file or directory: '{folders[0]}/model-00002-of-00002.safetensors'): going back "
        "to the one before",
    ]
    fault = f"{tmp_path}/checkpoints: all 3 checkpoints are damaged or foreign: train again elsewhere"
    assert faults(shown) == [f"failed: {fault}", f"failed: process 1: process 0 has failed: {fault}"]


def test_what_the_first_process_refuses_ends_all(processes: ranks.Ranks, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    shown = processes.train(settings(), tmp_path)
    fault = f"{tmp_path} already holds a run: add --resume to go on, or choose another --out"
    assert faults(shown) == [f"failed: {fault}", f"failed: process 1: process 0 has failed: {fault}"]


def lack_a_file(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 1 cannot build what it trains."""

    def fail(*parts: object) -> None:
        raise InputError("there is no file")

    patch.setattr("tuili.train.worker.build_training", fail)


def test_what_one_cannot_build_ends_all(processes: ranks.Ranks, tmp_path: Path) -> None:
    shown = processes.train(settings(), tmp_path, before=lack_a_file)
    assert faults(shown) == ["failed: process 1 has failed: there is no file", "failed: process 1: there is no file"]


def have_other_versions(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 1 has another torch."""
    versions = {"torch": f"2.{rank}"}
    patch.setattr("tuili.train.worker.current_versions", lambda: versions)


def be_one_of_three(of: int, rank: int, patch: pytest.MonkeyPatch) -> None:
    """One process was."""
    patch.setattr(rendezvous, "FAULT_SECONDS", 0.2)
    if rank == of:
        patch.setenv("WORLD_SIZE", "3")


@pytest.mark.parametrize("of", [0, 1])
def test_processes_of_another_number_are_refused(processes: ranks.Ranks, of: int, tmp_path: Path) -> None:
    shown = processes.train(settings("train.accumulation=6"), tmp_path, before=partial(be_one_of_three, of))
    sizes = [3 if rank == of else 2 for rank in range(2)]
    told = f"process 1 was started as one of {sizes[1]}, process 0 as one of {sizes[0]}: start all alike"
    assert shown == [f"failed: WORLD_SIZE: {told}"] * 2
    assert not (tmp_path / "run.json").exists()


def have_another_processor(rank: int, patch: pytest.MonkeyPatch) -> None:
    """Its vectors are of another width, so that sums are rounded otherwise."""
    patch.setattr("torch.backends.cpu.get_cpu_capability", lambda: ("AVX2", "AVX512")[rank])


def have_more_threads(rank: int, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("torch.get_num_threads", lambda: 1 + rank)


@pytest.mark.parametrize(
    ("before", "what"),
    [
        (have_other_versions, "version of torch = 2.1, process 0 has 2.0"),
        (have_another_processor, "vectors = AVX512, process 0 has AVX2"),
        (have_more_threads, "threads = 2, process 0 has 1"),
    ],
)
def test_processes_that_are_not_alike_are_refused(
    processes: ranks.Ranks, before: ranks.Preparation, what: str, tmp_path: Path
) -> None:
    shown = processes.train(settings("train.accumulation=6", backend="ddp"), tmp_path, before=before)
    assert shown == [f"failed: process 1 has {what}: start all with the same"] * 2
    assert not (tmp_path / "run.json").exists()


def train_elsewhere(out: Path, rank: int, patch: pytest.MonkeyPatch) -> None:
    """Process 1 has another folder."""
    if rank == 1:
        patch.setattr(run, "work_beside_first", lambda group, recipe, _: worker.work_beside_first(group, recipe, out))


@pytest.mark.parametrize("holds_a_run", [False, True])
def test_a_process_with_another_folder_is_refused(processes: ranks.Ranks, holds_a_run: bool, tmp_path: Path) -> None:
    """Nothing is written there, though it may be that of a run by the same recipe."""
    out, other = tmp_path / "run", tmp_path / "other"
    if holds_a_run:
        processes.train(settings(), other)
    held = sorted(other.rglob("*"))
    shown = processes.train(settings(), out, before=partial(train_elsewhere, other))
    told = f"{other} is not the folder in which process 0 trains: start all with the same --out, on a file system"
    assert faults(shown) == [f"failed: process 1{of} {told} that they share" for of in (" has failed:", ":")]
    assert sorted(other.rglob("*")) == held


GONE = "failed: another process has ended or does not answer ("


ISLANDS = "train.dist={backend: fsdp2, islands: 2, gradients: {form: 8bit}}"


def leave_a_unit_plain(rank: int, patch: pytest.MonkeyPatch) -> None:
    """FSDP2 gathers one layer as it is."""
    set_gather, done = FSDPModule.set_custom_all_gather, list[FSDPModule]()

    def leave_one(self: FSDPModule, gather: Any) -> None:
        done.append(self)
        if len(done) > 1:
            set_gather(self, gather)

    patch.setattr(FSDPModule, "set_custom_all_gather", leave_one)


def test_weights_that_are_gathered_as_they_are_are_noticed(processes: ranks.Ranks, tmp_path: Path) -> None:
    library()
    packed = [recipe("train.dist={backend: fsdp2, weights: 8bit}")] * 2
    shown = processes.train(packed, tmp_path, before=leave_a_unit_plain)
    assert re.search(r"failed: weights were to be gathered as 8bit: 4 parts of them were, of 5$", shown[0])


def test_islands_that_do_not_meet_are_noticed(processes: ranks.Ranks, tmp_path: Path) -> None:
    library()
    shown = processes.train([recipe(ISLANDS)] * 2, tmp_path, before=ranks.leave_hooks_out)
    assert "failed: gradients were to travel as 8bit: 0 parts of them have, of 5 or more" in shown[0]
    assert shown[1] == "ended with 1"


@pytest.mark.parametrize("interval", [3, 100], ids=["after an interval", "at the end"])
def test_islands_that_drift_apart_are_not_saved(interval: int, processes: ranks.Ranks, tmp_path: Path) -> None:
    library()
    settings = recipe(ISLANDS, f"checkpoint.interval={interval}")
    shown = processes.train([settings] * 2, tmp_path, before=ranks.let_islands_drift)
    assert re.search(r"failed: step [0-9]+: the replicas' weights differ: nothing of this step is saved", shown[0])
    assert shown[1] == "ended with 1"
    assert not list(tmp_path.glob("checkpoints/step-*"))


def test_a_gradient_that_is_not_finite_is_told_once(processes: ranks.Ranks, tmp_path: Path) -> None:
    settings, before = recipe("train.dist.backend=ddp"), partial(ranks.fail_in_step, 5)
    first, other = processes.train([settings] * 2, tmp_path, before=before)
    fault = "step 5: the gradient is not finite: begin again in another --out with a lower optimizer.learning_rate"
    assert first.endswith(f"\nfailed: {fault}")
    assert other == "ended with 1"


@pytest.mark.kills
@pytest.mark.parametrize(
    "dies", [partial(ranks.signal_after, 2, signal.SIGKILL), ranks.die_when_wrapped], ids=["in a step", "before"]
)
def test_a_process_whose_first_one_has_gone_ends(dies: ranks.Preparation, tmp_path: Path) -> None:
    codes, shown = ranks.train_once([recipe("train.dist.backend=ddp")] * 2, tmp_path, before=dies)
    assert codes == [-signal.SIGKILL, 0]
    assert shown[1].startswith(GONE)


@pytest.mark.kills
@pytest.mark.parametrize("settings", ["backend: ddp", "backend: fsdp2", "backend: fsdp2, islands: 2"])
def test_a_process_that_hangs_is_not_waited_for_without_end(settings: str, tmp_path: Path) -> None:
    settings = recipe(f"train.dist={{{settings}, timeout: 5}}")
    codes, shown = ranks.train_once([settings] * 2, tmp_path, before=partial(ranks.hang_after, 2, tmp_path))
    assert codes == [0, 0]
    assert GONE in shown[0]
    assert shown[1].startswith(GONE)


@pytest.mark.kills
def test_a_first_process_that_stands_still_is_not_waited_for_without_end(tmp_path: Path) -> None:
    settings = recipe("train.dist={backend: ddp, timeout: 5}")
    codes, shown = ranks.train_once([settings] * 2, tmp_path, before=partial(ranks.stop_after, 3, tmp_path))
    assert codes == [0, 0]
    assert f"{GONE}process 0 has not shown any sign of life for " in shown[1]
    assert GONE in shown[0]


@pytest.mark.kills
@pytest.mark.parametrize(
    ("of", "when", "backend", "count"),
    [
        (0, "before", "ddp", 2),
        (1, "before", "ddp", 2),
        (0, "in it", "fsdp2", 2),
        (1, "in it", "ddp", 2),
        (1, "in it", "fsdp2", 2),
        (1, "in it", "ddp", 3),
    ],
)
def test_one_that_stands_still_before_or_in_the_first_step_is_missed(
    of: int, when: str, backend: str, count: int, tmp_path: Path
) -> None:
    """Though nobody knows how long that may take: it shows no sign of life. All others end, and one says why."""
    settings = recipe(f"train.dist={{backend: {backend}, timeout: 8}}", f"train.accumulation={count}")
    before = partial(ranks.stand_still, of, when, count, tmp_path)
    codes, shown = ranks.train_once([settings] * count, tmp_path, before=before)
    others = [other for other in range(count) if other != of]
    assert [codes[other] for other in others] == [EXIT_ALONE] * len(others)
    assert codes[of] == 0, "it was killed"
    assert GONE in shown[of]  # it goes on, and finds that out
    who = "process 1: " if of == 0 else ""
    fault = GONE.removeprefix("failed: ")
    still = f"process {of} has not shown any sign of life for 8 s"
    told = "".join((tmp_path / f"errors-{other}.txt").read_text() for other in others)
    assert told == f"tuili: error: {who}{fault}{still}): add --resume to go on\n"


def test_processes_of_other_recipes_are_refused(processes: ranks.Ranks, tmp_path: Path) -> None:
    of_ranks = [recipe("train.dist.backend=ddp", f"train.clip={clip}") for clip in (1.0, 2.0)]
    shown = processes.train(of_ranks, tmp_path)
    assert shown == ["failed: process 1 has train.clip = 2.0, process 0 has 1.0: start all with the same"] * 2
    assert not (tmp_path / "run.json").exists()


def test_gradients_that_few_average_are_told(processes: ranks.Ranks, tmp_path: Path) -> None:
    shown = processes.train([recipe("train.dist.backend=ddp")] * 2, tmp_path, before=ranks.be_alone)
    fault = "process 0 has 1 as processes that average gradients, and 2 was asked for"
    assert shown[0].endswith(f"failed: {fault}")
    assert shown[1].endswith(fault)
