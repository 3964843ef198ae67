"""The benchmark of recovery: what kills cost, and a real run that is killed and ends with the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.harness.record import file_system
from benchmarks.training import recovery
from benchmarks.training.killing import VICTIMS, Kill, Pace
from benchmarks.training.recovery import figures, measure
from tests.benchmarks.conftest import SHORT
from tests.benchmarks.training.conftest import Scratch
from tuili.errors import InputError

KILLED = tuple(override for override in SHORT if "backend" not in override)


def test_a_kill_costs_what_is_done_again_and_what_is_waited_for() -> None:
    kills = [
        Kill(VICTIMS[number % 4], 1 + (number % 4 == 3), number, 1.5 * number, 10 * number, None)
        for number in range(1, 21)
    ]
    told = figures(kills, 100, ending=2)
    assert told["kills"].runs == [20 + 5 + 2]
    assert told["recovery"].median == 10.5
    assert told["recovery_p95"].runs == [19.0]
    assert told["launcher_recovery"].runs == [1, 5, 9, 13, 17]
    assert max(told["saving_lost"].runs) == 1.8


def test_no_more_is_to_be_lost_than_an_interval_and_the_steps_beside_a_cut_write() -> None:
    cut, beyond = Kill("saving", 1, 9.0, 9.0, 103, 3), Kill("saving", 1, 9.0, 9.0, 104, 3)
    whole, too_much = Kill("worker", 1, 9.0, 9.0, 100, None), Kill("worker", 1, 9.0, 9.0, 101, None)
    told = figures([cut, beyond, whole, too_much], 100, ending=0)
    assert told["within_bound"].runs == [0.5]
    assert told["within_interval"].runs == [0.25]
    assert told["half_saved"].runs == [2]


def test_what_was_measured_is_kept(scratch_cells: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The killed run goes on with the pace of the one that was left alone."""
    scratch_cells(recovery)
    asked = list[str]()
    pace = {"whole": 91.0, "start": 9.0, "step": 0.3, "end": 2.0, "writes": [0.2, 0.4], "write_steps": [1, 2]}

    def alone(command: object, steps: int, warm_up: int) -> dict[str, object]:
        asked.append(f"alone {steps}")
        return {"pace": pace | {"whole": 91.0 if steps == 1500 else 260.0}, "hash": "a" if steps == 1500 else "b"}

    def killed(*given: object) -> dict[str, object]:
        asked.append("killed")
        assert given[-1] == Pace(91.0, 9.0, 0.3, 2.0, [0.2, 0.4], [1, 2])
        one = {"victim": "worker", "strikes": 1, "recovery": 9.0, "cost": 15.0, "lost": 20, "beside": None}
        return {"kills": [one], "ending": 2, "seconds": 120.0, "kept": 79.0, "given_again": 0, "hash": "a"}

    def by_clock(command: object, steps: int, every: int, seed: int, alone: float) -> dict[str, object]:
        if asked.count("clock") == 0:
            asked.append("clock")
            raise InputError("interrupted")
        assert (steps, alone) == {30: (1500, 91.0), 60: (3000, 260.0)}[every]
        kept = {30: 100.0, 60: 300.0}[every]  # the machine is slower than it was when the run was left alone
        return {"kills": 3, "seconds": 11 + kept + 3 * 6, "kept": kept, "given_again": 1, "hash": "b"}

    for name, stand_in in (("_alone", alone), ("_killed", killed), ("_killed_by_the_clock", by_clock)):
        monkeypatch.setattr(recovery, name, stand_in)
    with pytest.raises(InputError, match="interrupted"):
        measure(backends=("ddp",), every=(30, 60))
    _, told = measure(backends=("ddp",), every=(30, 60))
    assert asked == ["alone 1500", "killed", "clock", "alone 3000"]
    assert told["goodput"].runs == [(9 + 79 + 2) / 120]
    assert told["goodput_every_30"].runs == [0.8]
    assert told["goodput_every_60"].runs == [0.9]
    names = ("seconds_every_60", "seconds_without_every_60", "seconds_alone_every_60")
    assert [told[name].runs for name in names] == [[329.0], [311.0], [260.0]]
    assert told["given_again"].runs == [2]
    assert told["same_bytes"].runs == [1, 0, 1]
    assert told["write_steps"].runs == [1, 2]


def test_other_backends_are_killed_less_often(scratch_cells: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch_cells(recovery)
    asked = list[tuple[str, int]]()
    pace = {"whole": 91.0, "start": 9.0, "step": 0.3, "end": 2.0, "writes": [0.2], "write_steps": [1]}
    one = {"victim": "worker", "strikes": 1, "recovery": 9.0, "cost": 15.0, "lost": 20, "beside": None}

    def backend(command: list[str]) -> str:
        (named,) = (word.split("=")[1] for word in command if word.startswith("train.dist.backend="))
        return named

    def killed(command: list[str], steps: int, kills: int, *more: object) -> dict[str, object]:
        asked.append((backend(command), kills))
        assert steps == (1500 if backend(command) == "ddp" else 500)
        seconds = 182.0 if backend(command) == "ddp" else 364.0
        return {"kills": [one], "ending": 2, "seconds": seconds, "kept": 80.0, "given_again": 0, "hash": "a"}

    def by_clock(command: list[str], steps: int, every: int, *more: object) -> dict[str, object]:
        asked.append((backend(command), every))
        return {"kills": 3, "seconds": 91.0, "kept": 80.0, "given_again": 0, "hash": "a"}

    def alone(*given: object) -> dict[str, object]:
        return {"pace": pace, "hash": "a"}

    for name, stand_in in (("_alone", alone), ("_killed", killed), ("_killed_by_the_clock", by_clock)):
        monkeypatch.setattr(recovery, name, stand_in)
    monkeypatch.setattr(recovery, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="backends: zero3 needs DeepSpeed"):
        measure()
    monkeypatch.setattr(recovery, "find_spec", lambda name: name)
    config, told = measure()
    others = [("replicas", 8), ("fsdp2", 8), ("zero3", 8)]
    assert asked == [("ddp", 24), ("ddp", 60), ("ddp", 300), *others]
    assert (told["goodput"].runs, told["replicas_goodput"].runs, told["zero3_goodput"].runs) == ([0.5], [0.25], [0.25])
    assert config["other_kills"] == 8
    assert config["file_system"] == file_system(Path(tempfile.gettempdir()))


@pytest.mark.kills
@pytest.mark.parametrize(
    ("backend", "key", "kills"), [("ddp", "", 4), ("replicas", "replicas_", 2), ("fsdp2", "fsdp2_", 2)]
)
def test_a_run_that_is_killed_ends_with_the_same_bytes(
    backend: str, key: str, kills: int, scratch_cells: Scratch
) -> None:
    scratch_cells(recovery)
    given = {"kills": 4, "other_kills": 2, "steps": 100, "other_steps": 100, "interval": 20, "overrides": KILLED}
    _, told = measure("base", (backend,), **given, gap=(0.1, 0.6), warm_up=0, every=())
    assert told[f"{key}same_bytes"].runs == [1.0]
    struck = [told[name].runs for victim in VICTIMS if (name := f"{key}{victim}_recovery") in told]
    assert list(map(len, struck)) == [1] * kills
    assert told[f"{key}within_bound"].runs == [1.0]
    assert kills + 1 <= told[f"{key}kills"].runs[0] <= kills + 3
    assert told[f"{key}given_again"].runs == [0]


@pytest.mark.kills
def test_a_run_that_ends_or_fails_before_it_is_killed_says_so_and_leaves_nothing(scratch_cells: Scratch) -> None:
    scratch_cells(recovery)
    before = set(running())
    with pytest.raises(InputError, match="the run was at its end before all kills: --steps makes it longer"):
        measure("base", ("ddp",), kills=1, steps=5, overrides=KILLED, warm_up=0)
    with pytest.raises(InputError, match=r"the run has failed: .*2 processes do not divide its blocks evenly"):
        measure("base", ("ddp",), kills=1, steps=4, overrides=(*KILLED, "train.accumulation=1"), warm_up=0)
    assert set(running()) <= before


def running() -> Iterator[int]:
    """The processes of trainings."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"/recovery-" in place.read_bytes():
                yield int(place.parent.name)
