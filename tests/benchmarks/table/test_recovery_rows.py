"""What is told of saving and recovery follows from the settings of their records."""

from __future__ import annotations

from benchmarks.harness.record import Figure
from benchmarks.table.recovery_rows import RECOVERED, SAVED
from benchmarks.table.rows import Record
from benchmarks.training.killing import VICTIMS, Kill
from benchmarks.training.recovery import figures
from tests.benchmarks.table.filling import filled


def record_of(config: dict[str, object], **figures: Figure) -> Record:
    return {"config": config, "figures": {name: figure.summary() for name, figure in figures.items()}}


def test_the_size_and_the_steps_of_saving_are_those_of_the_record() -> None:
    told = {"cost": Figure("share", [0.01, 0.02, 0.015]), "parameters": Figure("parameters", [71_100_000])}
    told |= {"cost_within": Figure("share", [0.012]), "alone_within": Figure("share", [-0.0002])}
    told |= {"ddp_cost": Figure("share", [0.04]), "ddp_parameters": told["parameters"]}
    lines = filled(SAVED, record_of({"interval": 30, "tokens_a_step": 8192}, **told))
    for who, cost in (("two replicas", "1.5% (1.0% to 2.0%, n = 3)"), ("two processes by DDP", "4.0%")):
        assert lines[f"What saving costs a run of {who}, over one that does not save"] == [
            f"{cost}, every 30 steps of 8,192 tokens, 71.1M parameters",
            "2%",
        ]
    within = "What saving costs a run of two replicas, over those of its steps during which nothing is saved"
    assert lines[within] == ["1.2%; of runs that do not save 0.0%", "2%"]


def test_goodput_tells_how_often_something_was_killed() -> None:
    kills = [Kill(victim, 1, 9.0, 12.0, 20, None) for victim in VICTIMS]
    own = figures(kills, 50, ending=2) | {
        "kills_every_60": Figure("kills", [7]),
        "goodput_every_60": Figure("share", [0.75]),
        "same_bytes": Figure("runs", [1.0, 0.0]),
    }
    lines = filled(RECOVERED, record_of({}, **own, **{f"replicas_{key}": figure for key, figure in own.items()}))
    for who, is_first in (("two processes by DDP", True), ("two replicas", False)):
        clock = f"Goodput of a training of {who} in which a process is killed every {{}} s, measured once"
        assert lines.get(clock.format(60)) == (["75% with 7 kills", "60%"] if is_first else None)
        assert clock.format(300) not in lines
        assert lines[f"Killed runs of {who} that ended with the bytes of one left alone"] == ["1 of 2", "all"]
        again = f"Steps of {who} that are repeated if"
        assert len([what for what in lines if what.startswith(again)]) == (len(VICTIMS) if is_first else 0)
