"""How a training run of several processes recovers from kills: seconds until it learns again, steps that are repeated,
and whether it ends with the bytes of a run that was left alone.

A kill comes a random number of steps after the step at which the run was last killed, at a random moment in a step.
SIGKILL goes to one of the processes, after which the launcher restarts all of them; to the launcher, with which the
others end; to all at once, at a random moment while a checkpoint is written; or to a process or the launcher, and then
once more at a random moment of the restart. These are `worker`, `launcher`, `saving` and `starting`. In the end all are
killed while the model is being written. After the launcher is killed, the same command is given with `--resume` as soon
as nothing of the run is left, as a supervisor would do. The order of the kills is random, too; there are equally many
of each kind. Further DDP runs are killed by the clock, in a random one of these ways each time, until they end; their
steps are multiplied so that there is time for two kills.

Replicas have no launcher other than process 0, which is the command: for them `launcher` is process 0, and `worker` is
another replica or the process that prepares the data, after whose end process 0 restarts all.

The figures of a backend other than `ddp` begin with its name, as in `replicas_recovery`. Other backends are killed less
often and over fewer steps, which also shows in their goodput:

- `recovery`: seconds from a kill to the first step after it, and `recovery_p95`; `VICTIM_recovery` by what was killed;
- `VICTIM_lost`: steps that are repeated, as a share of the checkpoint interval. A checkpoint is written alongside the
  next steps, so at most an interval can be lost, plus the steps made during a write that the kill cut off;
- `within_interval`: share of kills that lost at most an interval; `within_bound`: share that lost at most that plus the
  steps made during a write that was cut off; `half_saved`: kills that cut off a write;
- `write` and `write_steps`: seconds of a write and steps made during it, in the run that was left alone;
- `goodput`: the seconds that the killed run would have taken without kills, over those that it took. The former come
  from its own log, because the machine drifts from run to run: they are the seconds of its steps, each once, with the
  first five after a resume counted as the median step. Only the start and the end, outside these steps, are those of
  the run that was left alone, `seconds_alone` in all. Steps that stay slow for longer after a kill are not counted;
- `goodput_every_60`: the share of time that a run keeps when it is killed every 60 seconds: 1 minus the seconds that a
  kill cost over 60, because the end may come long after the last kill. `kills_every_60`: how often it was killed.
  `seconds_every_60`: what it took; `seconds_without_every_60`: what it would have taken without kills, by its log;
  `seconds_alone_every_60`: what the same number of steps took when left alone, which would reveal slower steps;
- `given_again`: how often a run ended with an error, without its command being killed, so that it was given again;
- `same_bytes`: for each killed run, 1 if its weights are those of the run that was left alone.

The run that is left alone, the one that is killed at random and those killed by the clock are each kept, as a whole, if
the benchmark is interrupted.
"""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.cells import Cells
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure, file_system
from benchmarks.training.killable import Killable
from benchmarks.training.killing import (
    VICTIMS,
    Kill,
    Pace,
    end_under_kills,
    kept,
    kill,
    kill_by_the_clock,
    left_alone,
)
from tuili.errors import InputError
from tuili.store import model_hash
from tuili.train import read_log

CLOCK_KILLS = 2
"""The fewest kills by the clock in a run."""
ENDING_KILLS = 2
"""Kills while the model is being written."""
RESTARTS = 1000
GOAL = (
    "recovery 20 s, at most an interval and the steps beside a cut write lost, goodput 0.6 with a kill in 60 s and 0.9 "
    "with one in 300 s"
)


def measure(
    recipe: str = "quickstart",
    backends: tuple[str, ...] = ("ddp", "replicas", "fsdp2", "zero3"),
    kills: int = 24,
    other_kills: int = 8,
    steps: int = 1500,
    other_steps: int = 500,
    interval: int = 50,
    gap: tuple[float, ...] = (0.1, 1.1),
    processes: int = 2,
    every: tuple[int, ...] = (60, 300),
    overrides: tuple[str, ...] = ("optimizer.kind=adamw", "optimizer.learning_rate=2e-3"),
    seed: int = 1,
    warm_up: int = 4,
) -> Measured:
    """The figures. interval: steps between two checkpoints. gap: the least and the greatest share of it between two
    kills. every: seconds between two kills by the clock, with a run for each. warm_up: steps of a preliminary run,
    which fills caches; 0 leaves it out. Backends other than DDP have their own numbers of kills and steps, and no kills
    by the clock."""
    if min(kills, other_kills) < 1:
        raise InputError("kills: give 1 or more")
    if "zero3" in backends and find_spec("deepspeed") is None:
        raise InputError("backends: zero3 needs DeepSpeed: make .venv/.deepspeed, or give others")
    asked = {"recipe": recipe, "steps": steps, "interval": interval, "gap": list(gap), "processes": processes}
    asked |= {"kills": kills, "other_kills": other_kills, "other_steps": other_steps}
    asked |= {"overrides": list(overrides), "seed": seed}
    asked |= {"file_system": file_system(Path(tempfile.gettempdir()))}
    cells, found = Cells("recovery", asked), dict[str, Figure]()
    for backend in backends:
        command = ["train", recipe, *overrides, f"train.dist.backend={backend}"]
        command += [f"checkpoint.interval={interval}", "log.interval=1"]
        command += ["--nproc", str(processes), "--restarts", str(RESTARTS)]
        times, long, clocks = (kills, steps, every) if backend == "ddp" else (other_kills, other_steps, ())
        gaps = [fraction * interval for fraction in gap]
        own = measure_backend(cells, backend, command, long, interval, times, gaps, clocks, seed, warm_up)
        found |= {key if backend == "ddp" else f"{backend}_{key}": figure for key, figure in own.items()}
    return asked | {"backends": list(backends), "every": list(every), "goal": GOAL}, found


def measure_backend(
    cells: Cells,
    backend: str,
    command: Sequence[str],
    steps: int,
    interval: int,
    kills: int,
    gaps: Sequence[float],
    every: Sequence[int],
    seed: int,
    warm_up: int,
) -> dict[str, Figure]:
    """The figures of one backend. gaps: the least and the greatest number of steps between two kills."""
    alone = cells.get(f"{backend}, alone", partial(_alone, command, steps, warm_up))
    pace = Pace(**alone["pace"])
    struck = cells.get(f"{backend}, killed", partial(_killed, command, steps, kills, gaps, seed, pace))
    killed, pairs = [struck], [(struck, alone)]
    found = figures([Kill(**one) for one in struck["kills"]], interval, struck["ending"])
    found |= {
        "goodput": Figure("share", [pace.around(struck["kept"]) / struck["seconds"]]),
        "seconds_alone": Figure("s", [pace.whole]),
        "write_steps": Figure("steps", pace.write_steps or [0]),
        "write": Figure("s", pace.writes or [0.0]),
    }
    for seconds in every:
        longer = pace.times(CLOCK_KILLS * seconds)
        so_long, as_long = f"{longer} times as long", alone
        if longer > 1:
            as_long = cells.get(f"{backend}, alone, {so_long}", partial(_alone, command, longer * steps, 0))
        untouched = Pace(**as_long["pace"])
        measured = partial(_killed_by_the_clock, command, longer * steps, seconds, seed, untouched.whole)
        by_clock = cells.get(f"{backend}, every {seconds} s, {so_long}", measured)
        killed.append(by_clock)
        pairs.append((by_clock, as_long))
        without = untouched.around(by_clock["kept"])
        cost = (by_clock["seconds"] - without) / max(1, by_clock["kills"])
        found |= {
            f"kills_every_{seconds}": Figure("kills", [by_clock["kills"]]),
            f"goodput_every_{seconds}": Figure("share", [1 - cost / seconds]),
            f"seconds_every_{seconds}": Figure("s", [by_clock["seconds"]]),
            f"seconds_without_every_{seconds}": Figure("s", [without]),
            f"seconds_alone_every_{seconds}": Figure("s", [untouched.whole]),
        }
    found["given_again"] = Figure("times", [sum(one["given_again"] for one in killed)])
    found["same_bytes"] = Figure("runs", [float(one["hash"] == of["hash"]) for one, of in pairs])
    return found


def figures(kills: Sequence[Kill], interval: int, ending: int) -> dict[str, Figure]:
    """The figures of some kills. interval: steps between two checkpoints. ending: kills after the last step."""
    recoveries = [one.recovery for one in kills]
    within = [one.lost <= interval + (one.beside or 0) for one in kills]
    found = {
        "kills": Figure("kills", [sum(one.strikes for one in kills) + ending]),
        "recovery": Figure("s", recoveries),
        "recovery_p95": Figure("s", [sorted(recoveries)[-(-95 * len(recoveries) // 100) - 1]]),
        "within_interval": Figure("share", [sum(one.lost <= interval for one in kills) / len(kills)]),
        "within_bound": Figure("share", [sum(within) / len(within)]),
        "half_saved": Figure("kills", [sum(one.beside is not None for one in kills)]),
    }
    for victim in dict.fromkeys(one.victim for one in kills):
        own = [one for one in kills if one.victim == victim]
        found[f"{victim}_recovery"] = Figure("s", [one.recovery for one in own])
        found[f"{victim}_lost"] = Figure("intervals", [one.lost / interval for one in own])
    return found


def _alone(command: Sequence[str], steps: int, warm_up: int) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory(prefix="recovery-") as place:
        if warm_up:
            with Killable([*command, f"train.steps={warm_up}"], Path(place, "warm-up")) as warming_up:
                warming_up.to_the_end()
        with Killable([*command, f"train.steps={steps}"], Path(place, "alone")) as one:
            return {"pace": asdict(left_alone(one, steps)), "hash": model_hash(one.folder / "model")}


def _killed(
    command: Sequence[str], steps: int, kills: int, gaps: Sequence[float], seed: int, pace: Pace
) -> Mapping[str, Any]:
    rng, found, at = random.Random(f"{seed}/random"), list[Kill](), 0
    with (
        tempfile.TemporaryDirectory(prefix="recovery-") as place,
        Killable([*command, f"train.steps={steps}"], Path(place, "killed")) as one,
    ):
        begun = time.monotonic()
        for victim in rng.sample(list(islice(cycle(VICTIMS), kills)), kills):
            told, at = kill(one, victim, rng, at + max(1, round(rng.uniform(*gaps))), pace)
            found.append(told)
            pace = replace(pace, start=median(each.recovery for each in found))  # a restart learns no tokenizer
        ending = end_under_kills(one, rng, steps, pace, ENDING_KILLS)
        seconds = time.monotonic() - begun
        return {"kills": [asdict(told) for told in found], "ending": ending, "seconds": seconds, **_left_by(one)}


def _killed_by_the_clock(command: Sequence[str], steps: int, every: int, seed: int, alone: float) -> Mapping[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="recovery-") as place,
        Killable([*command, f"train.steps={steps}"], Path(place, "by-the-clock")) as one,
    ):
        kills, seconds = kill_by_the_clock(one, random.Random(f"{seed}/clock"), every, alone)
        return {"kills": kills, "seconds": seconds, **_left_by(one)}


def _left_by(run: Killable) -> Mapping[str, Any]:
    """What can be read from a killed run that has ended."""
    steps, model = kept(read_log(run.folder), run.resumed()), model_hash(run.folder / "model")
    return {"kept": steps, "given_again": run.given_again, "hash": model}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, leaves nothing of a run behind
    run("recovery", measure)
