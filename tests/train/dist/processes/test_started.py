"""Processes that torchrun or the launcher starts: what is refused, and what each is told."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch.distributed as dist

from tests.train.dist.torch_ranks import place
from tests.waiting import GUARD_SECONDS, eventually
from tuili.cli.app import main
from tuili.config import load_recipe
from tuili.errors import ConfigError, InputError
from tuili.train.dist.group import EXIT_ALONE, ReplicaDied
from tuili.train.dist.processes import joining, rendezvous
from tuili.train.dist.processes.joining import joined
from tuili.train.dist.processes.place import Place, start_by_torchrun
from tuili.train.folder import RunFolder
from tuili.train.recipe import Recipe
from tuili.train.run import train
from tuili.train.worker import processes_here

TRAIN = ["train", "base", "train.accumulation=2", "train.steps=2"]


@pytest.mark.parametrize(
    ("arguments", "started", "message"),
    [
        (["train.dist.backend=ddp"], None, "train.dist.backend = ddp: no processes were started for it: add --nproc 2"),
        (["train.dist.backend=fsdp2", "train.replicas=2"], 1, "train.replicas = 2: 1 process was started: start as"),
        (["train.dist.backend=ddp"], 3, "train.accumulation = 2: 3 processes do not divide its blocks evenly: use a "),
        (
            ["train.dist.backend=fsdp2", "train.dist.islands=2"],
            1,
            "train.dist.islands = 2: 1 processes cannot be 2 isl",
        ),
        ([], 3, "train.accumulation = 2: 3 processes do not divide its blocks evenly: use a multiple of 3"),
        (["train.replicas=1"], 2, "train.replicas = 1: 2 processes were started: start as many, or set it to auto"),
        (["--nproc", "2"], 2, "--nproc starts processes, and torchrun has started this one: leave one of them out"),
        (["train.dist.backend=ddp", "--nproc", "2"], 2, "--nproc starts processes, and torchrun has started this one"),
        (
            ["train.dist.backend=ddp", "--nproc", "3"],
            None,
            "train.accumulation = 2: 3 processes do not divide its bloc",
        ),
        (
            ["train.dist.backend=ddp", "--restarts", "2"],
            2,
            "--restarts goes with --nproc; torchrun has an option --max",
        ),
        (["--nproc", "3"], None, "replicas = 3 does not divide accumulation = 2 evenly"),
        (["train.dist.gradients.form=3bit"], None, "gradients.form = 3bit: replicas add up in shared memory, where no"),
        (
            ["train.dist.backend=fsdp2", "train.dist.gradients.form=3bit"],
            2,
            "gradients.form = 3bit: FSDP2 packs gradients between islands, and there is one: set islands to 2 or more",
        ),
        (
            ["train.dist={backend: fsdp2, islands: 2, gradients: {form: powersgd}}"],
            2,
            "gradients.form = powersgd: between islands of FSDP2 gradients are packed or fp32: use 3bit, or backend = ",
        ),
        (
            ["train.dist={backend: ddp, gradients: {form: fp16}}"],
            1,
            "gradients.form = fp16: 1 process was started, whose",
        ),
        (
            ["train.dist={backend: ddp, gradients: {form: powersgd, start: 20}}", "train.steps=20"],
            2,
            "dist.gradients.start = 20: the run has 20 steps, which would all be plain: start earlier",
        ),
        (
            ["train.dist={backend: ddp, gradients: {start: 20}}"],
            2,
            "start is that of PowerSGD's matrices, and form = fp",
        ),
        (["train.dist={backend: ddp, weights: 8bit}"], 2, "weights = 8bit: backend = ddp gathers none, or as it com"),
        (
            ["train.dist={backend: fsdp2, islands: 2, weights: 8bit}"],
            2,
            "train.dist.weights = 8bit: each process has the whole model, and gathers nothing: start more, with fewer",
        ),
        (["train.dist={backend: ddp, islands: 2}"], 2, "islands = 2 are groups that share a model, and backend = ddp:"),
        (["train.dist.backend=zero2"], None, "train.dist.backend"),
        (
            ["train.dist={backend: zero3, gradients: {form: 3bit}}"],
            2,
            "gradients.form = 3bit: DeepSpeed sends them as it computes with them: use backend = ddp, or leave the for",
        ),
        (
            ["train.dist={backend: fsdp2, islands: 2, gradients: {form: 3bit, precondition: true}}"],
            2,
            "gradients.precondition takes the moments of the whole model, and backend = fsdp2: use ddp",
        ),
        (
            ["train.dist={backend: ddp, gradients: {form: 3bit, precondition: true}}", "optimizer.kind=muon"],
            2,
            'optimizer.kind = "muon": has no moments, by which train.dist.gradients.precondition divides: use adamw',
        ),
        (["train.dist.backend=zero3", "train.dist.islands=2"], 2, "islands = 2 are groups that share a model, and ba"),
        (["train.dist.backend=zero3", "optimizer.kind=muon"], 2, "needs whole matrices, and zero3 flattens what it di"),
        (["train.dist.backend=ddp", "train.precision=fp16"], 2, "precision = fp16: dist.backend = ddp does not scale "),
    ],
)
def test_what_does_not_fit_the_processes_is_refused(
    arguments: list[str],
    started: int | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in place(0, started, 1).items() if started else []:
        monkeypatch.setenv(name, value)
    assert main([*TRAIN, *arguments, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run" / "run.json").exists()


def test_replicas_are_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (place(0, 2, 1) | {"LOCAL_WORLD_SIZE": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tuili.train.dist.processes.rendezvous.EXCUSE_SECONDS", 0.1)
    assert main([*TRAIN, "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == (
        "tuili: error: train.dist.backend = replicas: 2 processes were started on several machines, and replicas share "
        "the memory of one: use ddp, fsdp2 or zero3\n"
    )


def test_those_that_torchrun_starts_for_replicas_leave_them_to_process_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    monkeypatch.setattr("tuili.train.train", lambda settings, *given, **more: asked.append(settings.train.replicas))
    for rank, world, more in ((1, 2, ()), (0, 2, ()), (0, 1, ("train.replicas=2",)), (0, 1, ())):
        for name, value in place(rank, world, 1).items():
            monkeypatch.setenv(name, value)
        if rank:
            with pytest.raises(SystemExit) as ended:
                main([*TRAIN, *more, "--out", str(tmp_path / "run")])
            assert ended.value.code == 0
        else:
            with pytest.raises(AttributeError):  # there is no outcome
                main([*TRAIN, *more, "--out", str(tmp_path / "run")])
    assert asked == [2, 2, "auto"], "one process alone trains as its recipe says"


@pytest.mark.parametrize(("rank", "replicas"), [(0, "auto"), (1, "2")])
def test_replicas_that_a_script_would_train_in_each_process_are_refused(
    rank: int, replicas: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in place(rank, 2, 1).items():
        monkeypatch.setenv(name, value)
    settings = load_recipe("base", ["train.accumulation=2", f"train.replicas={replicas}"], Recipe)
    with pytest.raises(InputError, match=r"^train\.dist\.backend = replicas: 2 processes were started, but train"):
        train(settings, tmp_path / "run")


def test_threads_are_those_of_each_where_torchrun_has_started_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert processes_here(3) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert processes_here(3) == 3, "the user has limited all together"
    for world, among in ((1, 3), (2, 1)):
        for name, value in place(0, world, 1).items():
            monkeypatch.setenv(name, value)
        assert processes_here(3) == among


@pytest.mark.parametrize("started", [2, None], ids=["torchrun", "launcher"])
def test_without_deepspeed_its_extra_is_named(
    started: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tuili.train.dist.processes.place.find_spec", lambda name: None)
    for name, value in place(0, started, 1).items() if started else []:
        monkeypatch.setenv(name, value)
    launcher = [] if started else ["--nproc", "2"]
    assert main([*TRAIN, "train.dist.backend=zero3", *launcher, "--out", str(tmp_path / "run")]) == 2
    error = "tuili: error: train.dist.backend = zero3: DeepSpeed is not installed: pip install 'tuili[deepspeed]'\n"
    assert capsys.readouterr().err == error


@pytest.mark.parametrize("arguments", [["train.dist.backend=ddp"], ["train.dist.backend=none"], ["--resume"]])
def test_each_machine_tells_what_its_processes_have_met(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One process of it, unless that has not met the same: for then it does not end the others meanwhile."""
    waited = list[float]()
    monkeypatch.setattr("tuili.cli.train.time.sleep", waited.append)
    for rank, local_rank in ((8, 0), (9, 1)):
        for name, value in (place(rank, 16, 1) | {"LOCAL_RANK": str(local_rank)}).items():
            monkeypatch.setenv(name, value)
        assert main([*TRAIN, *arguments, "--out", str(tmp_path)]) == 2
        assert capsys.readouterr().err.startswith(f"tuili: error: process {rank}: ")
        assert waited == [10] * local_rank


def test_an_error_with_details_of_its_own_is_told_by_another_machine_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in place(8, 16, 1).items():
        monkeypatch.setenv(name, value)
    assert main([*TRAIN, "train.dist.backend=ddp", "--out", str(tmp_path / ("long" * 100))]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tuili: error: process 8: ")
    assert "File name too long" in error


@pytest.mark.parametrize(
    ("rank", "local_rank", "first_tells", "says"),
    [
        (0, 0, True, ""),
        (1, 1, True, None),
        (1, 1, False, "process 1: "),
        (2, 2, False, None),
        (8, 0, False, "process 8: "),
        (9, 1, False, None),
    ],
)
def test_where_the_first_process_cannot_say_that_one_has_gone_another_one_of_each_machine_does(
    rank: int,
    local_rank: int,
    first_tells: bool,
    says: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def lose(*recipe: object, **options: object) -> None:
        error = ReplicaDied("a process has gone")
        error.first_tells = first_tells
        raise error

    monkeypatch.setattr("tuili.train.train", lose, raising=False)
    for name, value in (place(rank, 16, 1) | {"LOCAL_RANK": str(local_rank)}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main([*TRAIN, "train.accumulation=16", "train.dist.backend=ddp", "--out", str(tmp_path)])
    assert ended.value.code == EXIT_ALONE
    told = "" if says is None else f"tuili: error: {says}a process has gone: add --resume to go on\n"
    assert capsys.readouterr().err == told


def test_other_machines_are_told_what_one_has_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would wait for its processes."""
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name, value in (place(1, 2, store.port) | {"LOCAL_WORLD_SIZE": "1"}).items():
        monkeypatch.setenv(name, value)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(rendezvous.meet, Place(0, 2, 1), "127.0.0.1", store.port)
        eventually(lambda: store.check(["start"]), "process 0 does not wait")
        assert main(["train", "none", "--out", str(tmp_path)]) == 2
        with pytest.raises(InputError, match=r"^process 1 has failed: .*none"):
            first.result(GUARD_SECONDS)


def test_one_that_stands_still_behind_the_meeting_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setattr(joining, "CONNECTING_SECONDS", 1)
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name, value in place(0, 2, store.port).items():
        monkeypatch.setenv(name, value)
    settings = load_recipe("base", ["train.dist.backend=ddp", "train.accumulation=2"], Recipe).train
    with ThreadPoolExecutor() as threads:
        threads.submit(rendezvous.meet, Place(1, 2, 2), "127.0.0.1", store.port)
        with (
            pytest.raises(
                InputError, match=r"process 0 of 2 did not connect to the others, which it met at 127\.0\.0\.1:"
            ),
            joined(settings, "cpu"),
        ):
            pass


def test_torchrun_goes_on_with_what_it_began_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path)
    assert not folder.begun_by_torchrun()
    for name in ("job", "none"):
        monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
        folder.record({"start": start_by_torchrun()})
        assert not folder.begun_by_torchrun()
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
        assert not folder.begun_by_torchrun()
        folder.record({"start": start_by_torchrun()})
        assert folder.begun_by_torchrun()
    monkeypatch.setattr("os.getppid", lambda: 1)  # another torchrun without a name
    assert not folder.begun_by_torchrun()
    folder.run_file.write_text("[")
    assert not folder.begun_by_torchrun()


def test_a_process_without_a_gpu_of_its_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (place(1, 2, 1) | {"LOCAL_RANK": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rendezvous, "EXCUSE_SECONDS", 0.1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    settings = load_recipe("base", ["train.dist.backend=ddp", "train.accumulation=2"], Recipe).train
    with (
        pytest.raises(InputError, match="process 1 of this machine has no GPU of its own among 1: start as many pro"),
        joined(settings),
    ):
        pass
    monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(InputError, match="environment: LOCAL_RANK is missing: should be the number"), joined(settings):
        pass
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name, value in (place(0, 1, store.port) | {"TORCHELASTIC_USE_AGENT_STORE": "True"}).items():
        monkeypatch.setenv(name, value)
    with joined(settings, "cpu") as group:  # as the run that goes on began
        assert group.all_gather([1.5]) == [[1.5]]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RANK", "first", "environment: RANK = 'first': should be a number, as torchrun sets it"),
        ("RANK", "1", "RANK = 1: of WORLD_SIZE = 1 processes the last one has 0"),
        ("MASTER_PORT", "", "MASTER_PORT = '': should say where process 0 is"),
    ],
)
def test_an_environment_that_is_none_is_refused(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, right in (place(0, 1, 1) | {name: value}).items():
        monkeypatch.setenv(variable, right)
    settings = load_recipe("base", ["train.dist.backend=ddp"], Recipe).train
    with pytest.raises(InputError, match=message), joined(settings):
        pass


def test_a_port_in_use_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name, value in place(0, 1, port).items():
            monkeypatch.setenv(name, value)
        assert main([*TRAIN, "train.dist.backend=ddp", "--out", str(tmp_path)]) == 2
    assert f"port {port} of 127.0.0.1 is in use: set MASTER_PORT to another one\n" in capsys.readouterr().err


def test_the_section_has_its_place() -> None:
    with pytest.raises(ConfigError, match=r"train.dist.gradients.bits.*unknown key"):
        load_recipe("base", ["train.dist.gradients.bits=3"], Recipe)
