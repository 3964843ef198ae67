"""Long work tells how far it is and how long the rest takes, and ends between two parts after a Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.compress.distilling.test_distil import config_of as student_of
from tests.compress.running import HEALING, config_of
from tuili.compress import (
    Compression,
    Distilling,
    Factorising,
    Measuring,
    PruneRecipe,
    Pruning,
    compress,
    open_parent,
    watch,
)  # fmt: skip
from tuili.compress.watch import Watch, duration

GIVEN = {"rounds": 1, "multiple": 4, "samples": 12, "healing": HEALING | {"kernels": "torch", "steps": 0}}
BEHIND = {"choice of exits, the parent", "choice of exits, the smaller model", "closeness", "the smaller model"}
"""The recovery of every verb."""


def test_a_line_is_told_a_quarter_of_a_minute_behind_the_last_one_with_the_time_that_is_left() -> None:
    times, told = iter([0.0, 0.0, 10.0, 20.0, 30.0, 40.0, 400.0]), list[str]()
    watched = Watch(told.append, clock=lambda: next(times))
    assert list(watched.counted("abcdef", "reading", "letters")) == [*"abcdef"]
    assert told == [
        "reading: 2 of 6 letters, about 40 s left",
        "reading: 4 of 6 letters, about 20 s left",
        "reading: 5 of 6 letters, about 80 s left",
    ]


def test_durations_are_told_in_units_that_suit_them() -> None:
    assert [duration(seconds) for seconds in (0.4, 60, 150, 9000)] == ["0 s", "60 s", "2 minutes", "2.5 hours"]


class Stopped(Exception):
    """What a check raises."""


def test_work_ends_between_two_parts() -> None:
    done, told = list[int](), list[str]()

    def check() -> None:
        if len(done) == 2:
            raise Stopped

    watched = Watch(told.append, check)
    with pytest.raises(Stopped):
        done.extend(watched.counted(range(5), "counting", "numbers"))
    assert done == [0, 1]
    with pytest.raises(Stopped):
        watched.tell("more")
    assert not told


def way_of(verb: str, own: Path) -> tuple[Compression, Any]:
    if verb == "prune":
        config: Any = PruneRecipe.model_validate_json(json.dumps({"prune": GIVEN})).prune
        return Pruning(open_parent(own, config.healing), config), config
    config = (
        config_of(0, samples=12)
        if verb == "factorise"
        else student_of(2, on_policy=0.5, writing={"rounds": 1, "chains": 8})
    )
    return (Factorising if verb == "factorise" else Distilling)(open_parent(own, config.healing), config), config


@pytest.mark.parametrize(
    ("verb", "works"),
    [("prune", {"samples"}), ("factorise", {"samples", "decomposition", "sensitivity"}), ("distil", {"writing"})],
)
def test_all_that_a_verb_does_besides_its_steps_tells_its_progress(
    verb: str, works: set[str], own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "TOLD_SECONDS", 0.0)
    monkeypatch.setattr("tuili.compress.own.THRESHOLD_DOCUMENTS", 12)
    compression, config = way_of(verb, own)
    out, measuring = tmp_path / "run", Measuring(2)
    with (tmp_path / "told").open("w") as file:
        console = Console(file=file, width=200)
        compress(compression, config.healing, None, out, resume=False, measuring=measuring, console=console)
    lines = (tmp_path / "told").read_text().splitlines()
    told = {line.split(":")[0] for line in lines if line.endswith(" left") and ", about " in line}
    assert told >= works | BEHIND
