"""Several processes that share a run's steps: the same result as one; `test_ended_replicas` tells what ends them."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from pathlib import Path
from threading import Event

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from tests.train.conftest import SMALL
from tests.waiting import GUARD_SECONDS
from tuili import machine
from tuili.config import load_recipe
from tuili.errors import ConfigError, InputError, TuiliError
from tuili.train import loop
from tuili.train import run as run_module
from tuili.train.dist import shared_memory
from tuili.train.dist.channel import Channel
from tuili.train.dist.group import MEETING_SECONDS, PREPARATION_SECONDS, ReplicaDied, ReplicaGroup, SingleProcess
from tuili.train.dist.replicas import launch_replicas
from tuili.train.dist.shared_memory import SharedMemoryGroup
from tuili.train.execution import ExecutionPlan, find_replicas
from tuili.train.log import read_log
from tuili.train.recipe import Recipe
from tuili.train.run import train

pytestmark = pytest.mark.usefixtures("as_in_faulty_runs")

ROOT = Path(__file__).parents[3]
STEPS = 26
OVERRIDES = [
    f"model.overrides={SMALL}",
    f"train.steps={STEPS}",
    "train.rows=2",
    "train.length=192",
    "train.accumulation=4",
    "train.replicas=2",
    "train.device=cpu",
    "train.precision=fp32",
    "train.compile=off",
    "data.domains=[propositional, arithmetic]",
    "data.levels=[1]",
    "schedule.warmup=5",
    "checkpoint.interval=3",
    "log.interval=1",
]


def go(out: Path, *more: str, resume: bool = False) -> str:
    """Train in this process and its replicas, and return what was shown."""
    screen = io.StringIO()
    train(load_recipe("base", [*OVERRIDES, *more], Recipe), out, resume=resume, console=Console(file=screen))
    return screen.getvalue()


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / "model.safetensors")


def test_they_learn_what_one_process_learns(tmp_path: Path) -> None:
    short = ("train.steps=5", "optimizer.learning_rate=0.001")
    shared = go(tmp_path / "two", *short)
    assert "2 replicas share the blocks of a step" in shared
    assert torch.get_num_threads() == 1
    assert "replicas" not in go(tmp_path / "one", *short, "train.replicas=1")
    go(tmp_path / "none", "train.steps=1", "train.replicas=1", "optimizer.learning_rate=1.0e-30")
    one, two, none = (weights(tmp_path / name) for name in ("one", "two", "none"))
    assert max(float((one[name] - none[name]).abs().max()) for name in one) > 1e-3
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5)
    for line, expected in zip(read_log(tmp_path / "two"), read_log(tmp_path / "one"), strict=True):
        times = {"seconds", "tokens_per_second", "gflops_per_second", "workers"}
        assert {k: line[k] for k in line.keys() - times} == pytest.approx(
            {k: expected[k] for k in expected.keys() - times}, rel=1e-4
        )
    states = [json.loads((tmp_path / f"{n}/checkpoints/step-00000005/state.json").read_text()) for n in ("one", "two")]
    times_left_out = {"seconds": 0, "spent": {}}
    assert states[0] | times_left_out == states[1] | times_left_out


def die(group: ReplicaGroup, *_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def get_ready_and_die(group: ReplicaGroup, *arguments: object) -> None:
    for facts in (None, {"devices": ["cpu"], "processes": 2}):
        group.all_gather(facts)
    die(group)


def test_a_run_whose_replicas_always_die_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "run_worker", die)
    monkeypatch.setattr(run_module, "MAX_RESTARTS", 2)
    screen = io.StringIO()
    recipe = load_recipe("base", OVERRIDES, Recipe)
    with pytest.raises(TuiliError, match=r"^replica 1 was killed by SIGKILL, after 2 restarts: add --resume"):
        train(recipe, tmp_path, console=Console(file=screen))
    assert screen.getvalue().count("replica 1 was killed by SIGKILL: going on from the newest checkpoint, or from") == 2


@contextmanager
def interrupted_already() -> Iterator[Event]:
    event = Event()
    event.set()
    yield event


def test_a_run_that_is_being_interrupted_does_not_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "run_worker", get_ready_and_die)
    monkeypatch.setattr(loop, "interruptible", interrupted_already)
    with pytest.raises(
        TuiliError, match=r"^replica 1 was killed by SIGKILL while the run was being interrupted: add --"
    ):
        go(tmp_path)


def test_other_code_than_at_the_start_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "run_worker", die)
    monkeypatch.setattr(run_module, "code_hash", iter(("old", "new")).__next__)
    with pytest.raises(
        TuiliError, match=r"^replica 1 was killed by SIGKILL, and Tuili's code has changed: add --resume"
    ):
        go(tmp_path)


def add_and_fail(group: ReplicaGroup, wrong: int) -> None:
    shared, alone = [torch.full((3, 3), float(group.rank)) for _ in range(2)], torch.full((2,), float(group.rank))
    group.share(shared)
    assert [part.tolist() for part in shared] == [[[0.0] * 3] * 3] * 2  # those of process 0
    group.all_gather(None)  # all have looked
    for times in (1, 3):
        if group.rank == 1:
            shared[1].fill_(times)
        group.exchange([alone, shared[1], shared[0]], [2, 1, 0])
        assert [part.unique().tolist() for part in (alone, *shared)] == [[2.0], [0.0], [float(times)]]
        sums = [torch.full((2,), float(group.rank + 1)) for _ in range(3)]
        group.reduce(sums, [1, 1, 2])
        assert [part.tolist() for part in sums] == [
            [6.0 if owner == group.rank else group.rank + 1.0] * 2 for owner in (1, 1, 2)
        ]
        parts = [torch.full((2,), float(group.rank)) for _ in range(4)]
        group.exchange(parts, [2, 0, 1, 2])
        assert [part.tolist() for part in parts] == [[owner] * 2 for owner in (2, 0, 1, 2)]
    assert group.scatter([b"a", b"b", b"c"] if group.rank == 0 else []) == b"abc"[group.rank : group.rank + 1]
    assert group.all_gather(group.rank) == [0, 1, 2]
    if group.rank == wrong:
        raise OSError("the tape is torn")
    group.all_gather(None)


def share_and_fail() -> None:
    with launch_replicas(3, [torch.empty(4, 5)], add_and_fail, 2) as group:
        add_and_fail(group, 2)


def test_sums_reach_all_and_an_error_reaches_the_first(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of this process: what they print is captured, too."""
    monkeypatch.setattr("tuili.train.dist.replicas.get_context", lambda method: get_context("fork"))
    with pytest.raises(TuiliError, match=r"^replica 2: OSError\('the tape is torn'\)$"):
        share_and_fail()
    assert 'raise OSError("the tape is torn")' in capfd.readouterr().err


def stop(group: ReplicaGroup) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize("wait", [lambda group: group.all_gather(0), lambda group: group.scatter([b"", bytes(2**24)])])
def test_one_that_stands_still_is_not_waited_for_without_end(wait: Callable[[ReplicaGroup], object]) -> None:
    """Neither for what it has to say nor for what it has to read, which is more than lies ready for it."""
    with launch_replicas(2, [], stop, timeout=1) as group:
        group.pace(0.25)
        with pytest.raises(ReplicaDied, match=r"^replica 1 has not answered for 1 s$"):
            wait(group)


def test_one_that_stands_still_is_missed_where_nobody_knows_how_long_a_step_takes() -> None:
    """It is killed, because it shows no sign of life."""
    with launch_replicas(2, [], stop, timeout=2) as group:
        group.pace(None)
        told = r"^another process has ended or does not answer \(process 1 has not shown any sign of life for 2 s\)$"
        with pytest.raises(ReplicaDied, match=told):
            group.all_gather(0)


def test_a_step_is_waited_for_as_long_as_the_last_one_took_and_longer() -> None:
    waits = list[float]()
    for rank in (0, 1):
        ours, theirs = Pipe()
        with ours, theirs:
            channel = Channel(ours, 1 - rank, SystemExit)
            group = SharedMemoryGroup(rank, 2, [channel], {}, timeout=25)
            for last in (3.0, None):
                group.pace(last)
                waits.append(channel.seconds)
    assert waits == [28, MEETING_SECONDS, 36, MEETING_SECONDS + 5]


def test_others_wait_for_the_first_process_where_it_may_read_or_write() -> None:
    """And in a step again as long as that may take."""
    ours, theirs = Pipe()
    with ours, theirs:
        first, other = (Channel(end, rank, SystemExit) for rank, end in enumerate((ours, theirs)))
        waits, group = list[float](), SharedMemoryGroup(1, 2, [first], {}, timeout=25)
        for last in (None, 3.0):
            other.send_bytes(b"data")
            other.send({"value": [False, True]})
            assert group.scatter([]) == b"data"
            waits.append(first.seconds)
            assert group.anyone(True)
            waits.append(first.seconds)
            group.pace(last)
    assert waits == [PREPARATION_SECONDS, PREPARATION_SECONDS, MEETING_SECONDS + 5, MEETING_SECONDS]
    assert first.seconds == 36


def miss_first(group: ReplicaGroup) -> None:
    group.pace(0.25)
    group.all_gather(None)


def test_a_replica_that_has_waited_too_long_is_lost_and_the_run_may_begin_again(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a step, for a process 0 that lives and comes no further."""
    monkeypatch.setattr("tuili.train.dist.replicas.get_context", lambda method: get_context("fork"))
    monkeypatch.setattr(shared_memory, "NOTICING_SECONDS", 0.1)
    with launch_replicas(2, [], miss_first, timeout=3) as group:
        process = multiprocessing.active_children()[0]
        process.join(GUARD_SECONDS)
        with pytest.raises(ReplicaDied, match="replica 1 has ended, as process 0 stood still"):
            group.all_gather(None)
    assert capfd.readouterr().err == "tuili: error: replica 1: process 0 has not answered for 4 s\n"


def test_a_process_alone_is_a_group_that_changes_nothing() -> None:
    with launch_replicas(1, [], die) as group:
        assert isinstance(group, SingleProcess)
        assert (group.rank, group.world_size) == (0, 1)
        assert group.scatter([b"all"]) == b"all"
        assert group.all_gather({"a": 1}) == [{"a": 1}]
        numbers = torch.arange(3.0)
        group.share([numbers])
        group.reduce([numbers], [0])
        group.exchange([numbers], [0])
        assert numbers.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("cores", "accumulation", "device", "count"),
    [(1, 4, "cpu", 1), (2, 4, "cpu", 2), (2, 1, "cpu", 1), (2, 3, "cpu", 1), (5, 6, "cpu", 3), (8, 4, "cuda", 1)],
)
def test_auto_is_as_many_as_there_are_cores_and_a_step_divides_among(
    cores: int, accumulation: int, device: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.setattr(machine, "CPU_QUOTA_FILE", Path("nowhere"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert find_replicas("auto", accumulation, torch.device(device)) == count
    assert find_replicas(7, accumulation, torch.device(device)) == 7


def test_a_gpu_takes_one_replica_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    changes = ["train.precision=fp32", "train.compile=off", "train.replicas=2"]
    told = r"train\.replicas = 2: replicas share a CPU's memory, and this runs on a GPU: use train\.replicas=1"
    with pytest.raises(InputError, match=told):
        ExecutionPlan.resolve(load_recipe("nano", changes, Recipe).train)
    ddp = load_recipe("nano", [*changes, "train.dist.backend=ddp"], Recipe).train
    assert ExecutionPlan.resolve(ddp).replicas == 2


@pytest.mark.parametrize(
    ("quota", "count"), [("max 100000", 8), ("450000 100000", 4), ("50000 100000", 1), ("900000 100000", 8), ("", 8)]
)
def test_a_container_s_quota_counts_as_cores(
    quota: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr(machine, "CPU_QUOTA_FILE", tmp_path / "cpu.max")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert find_replicas("auto", 8, torch.device("cpu")) == count


@pytest.mark.parametrize(
    ("threads", "count"), [("1", 1), ("2", 2), ("3", 2), ("16", 4), ("2,4", 2), ("0", 1), ("many", 4), ("", 4)]
)
def test_the_variable_of_threads_limits_the_cores(threads: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    monkeypatch.setattr(machine, "CPU_QUOTA_FILE", Path("nowhere"))
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert find_replicas("auto", 8, torch.device("cpu")) == count


def test_cores_are_counted_where_a_process_has_no_set_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(machine, "CPU_QUOTA_FILE", Path("nowhere"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert find_replicas("auto", 8, torch.device("cpu")) == 4


def test_a_number_that_does_not_divide_the_blocks_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"replicas = 3 does not divide accumulation = 4"):
        load_recipe("base", [*OVERRIDES, "train.replicas=3"], Recipe)
    with pytest.raises(ConfigError, match=r"train.replicas = 0: "):
        load_recipe("base", [*OVERRIDES, "train.replicas=0"], Recipe)


def test_a_run_keeps_its_number_on_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    automatic = ("train.replicas=auto", "train.steps=1")
    monkeypatch.delenv("OMP_NUM_THREADS")
    for cores, resume in ((1, False), (4, True)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        assert "replicas" not in go(tmp_path, *automatic, resume=resume)
        assert json.loads((tmp_path / "run.json").read_text())["replicas"] == 1
