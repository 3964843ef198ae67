"""What saving costs a training, and how it recovers from processes that are killed or hang."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from benchmarks.table.rows import Row, bench, figure, joined, middle, results, text


def _saved(key: str, who: str) -> tuple[Row, ...]:
    """key: the prefix of the names of a backend's figures. who: whose runs they are."""
    return (
        Row(
            f"What saving costs a run of {who}, over one that does not save",
            results("saving"),
            (
                joined(
                    "{}, every {} steps of {} tokens, {} parameters",
                    figure(f"{key}cost", "{:.1%}"),
                    lambda record: str(record["config"]["interval"]),
                    lambda record: f"{record['config']['tokens_a_step']:,}",
                    lambda record: f"{record['figures'][f'{key}parameters']['median'] / 1e6:.1f}M",
                ),
                text("2%"),
            ),
        ),
        Row(
            f"What saving costs a run of {who}, over those of its steps during which nothing is saved",
            results("saving"),
            (
                joined(
                    "{}; of runs that do not save {}",
                    figure(f"{key}cost_within", "{:z.1%}"),
                    figure(f"{key}alone_within", "{:z.1%}"),
                ),
                text("2%"),
            ),
        ),
        bench(f"Share of a run of {who} for which saving holds up its steps", "saving", f"{key}held_up", "{:.1%}"),
        bench(
            f"Steps made during the write of a checkpoint, in a run of {who}", "saving", f"{key}write_steps", "{:.0f}"
        ),
    )


SAVED = (*_saved("", "two replicas"), *_saved("ddp_", "two processes by DDP"))

_VICTIMS = {
    "worker": "one process is killed",
    "launcher": "the launcher is killed",
    "saving": "all processes are killed while they save",
    "starting": "a process or the launcher is killed, and one more while the run starts again",
}


def _recovered(
    key: str,
    who: str,
    whom: str,
    victims: Mapping[str, str] = MappingProxyType({}),
    kills: str = "none",
    clocks: Mapping[int, str] = MappingProxyType({}),
) -> tuple[Row, ...]:
    """key: the prefix of the names of a backend's figures. who: whose training it is. whom, victims: who is killed.
    kills, clocks: the goals for the number of kills, and for the goodput by the seconds between two."""
    first_step = f"Seconds from a kill in a training of {who} to the first step after it"
    return (
        Row(
            f"Kills of a training of {who} at random moments: of {whom}, all while they save, one during a restart, "
            "all while the model is written",
            results("recovery"),
            (middle(f"{key}kills", "{:.0f}"), text(kills)),
        ),
        Row(
            f"{first_step}: median, and 95 of 100 kills",
            results("recovery"),
            (
                joined("{} and {}", middle(f"{key}recovery", "{:.1f}"), middle(f"{key}recovery_p95", "{:.1f}")),
                text("20"),
            ),
        ),
        *(
            bench(f"{first_step}, if {what}", "recovery", f"{key}{victim}_recovery", "{:.1f}")
            for victim, what in victims.items()
        ),
        bench(
            f"Kills of {who} after which at most one interval was repeated",
            "recovery",
            f"{key}within_interval",
            "{:.0%}",
            "100%",
        ),
        bench(
            f"Kills of {who} after which at most one interval was repeated, and the steps made during a write that was "
            "cut off",
            "recovery",
            f"{key}within_bound",
            "{:.0%}",
            "none",
        ),
        *(
            bench(
                f"Steps of {who} that are repeated if {what}, over those between two checkpoints",
                "recovery",
                f"{key}{victim}_lost",
                "{:.2f}",
                "1",
            )
            for victim, what in victims.items()
        ),
        bench(
            f"Steps of {who} that are made during the write of a checkpoint",
            "recovery",
            f"{key}write_steps",
            "{:.0f}",
        ),
        bench(f"Kills of {who} that cut off the write of a checkpoint", "recovery", f"{key}half_saved", "{:.0f}"),
        bench(f"Goodput of a training of {who} with these kills, measured once", "recovery", f"{key}goodput", "{:.0%}"),
        *(
            Row(
                f"Goodput of a training of {who} in which a process is killed every {seconds} s, measured once",
                results("recovery"),
                (
                    joined(
                        "{} with {} kills",
                        middle(f"{key}goodput_every_{seconds}", "{:.0%}"),
                        middle(f"{key}kills_every_{seconds}", "{:.0f}"),
                    ),
                    text(goal),
                ),
            )
            for seconds, goal in clocks.items()
        ),
        bench(
            f"Times that a killed run of {who} ended with an error, and its command was given again",
            "recovery",
            f"{key}given_again",
            "{:.0f}",
            "0",
        ),
        Row(
            f"Killed runs of {who} that ended with the bytes of one left alone",
            results("recovery"),
            (
                lambda record: "{:.0f} of {}".format(
                    sum(record["figures"][f"{key}same_bytes"]["runs"]), record["figures"][f"{key}same_bytes"]["n"]
                ),
                text("all"),
            ),
        ),
    )


RECOVERED = (
    *_recovered("", "two processes by DDP", "a process, the launcher", _VICTIMS, "30", {60: "60%", 300: "90%"}),
    *_recovered("replicas_", "two replicas", "another process, the command"),
    *_recovered("fsdp2_", "two processes by FSDP2", "a process, the launcher"),
    *_recovered("zero3_", "two processes by ZeRO-3", "a process, the launcher"),
)

_PROCESSES = {"first": "process 0 is stopped", "other": "another process is stopped"}
_PROCESSES |= {
    "first_thread": "the main thread of process 0 hangs",
    "other_thread": "the main thread of another process hangs",
}
_PREPARATION = {"preparation": "the process that prepares the data is stopped"}
_REPLICAS = {
    "first": "the command, which is process 0, is stopped",
    "other": "another replica is stopped",
    "first_thread": "the main thread of process 0 hangs",
    "other_thread": "the main thread of another replica hangs",
}
_HANGING = {
    "ddp": ("two processes by DDP", _PROCESSES | _PREPARATION),
    "fsdp2": ("two processes by FSDP2", _PROCESSES),
    "zero3": ("two processes by ZeRO-3", _PROCESSES),
    "replicas": ("two replicas", _REPLICAS | _PREPARATION),
}
_NOTICED = {"told": ("until a line reports it", "30"), "ended": ("until all others have ended", "30")}
_NOTICED |= {"recovery": ("until the first step after it", "none")}
HANGING = tuple(
    bench(
        f"Seconds in a training of {who} in which {what}, {when}",
        "hanging",
        f"{backend}_{victim}_{name}",
        "{:.0f}",
        goal,
    )
    for backend, (who, victims) in _HANGING.items()
    for victim, what in victims.items()
    for name, (when, goal) in _NOTICED.items()
    if backend != "replicas" or victim.startswith("first") or name != "ended"
)
