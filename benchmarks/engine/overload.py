"""More requests than the machine can answer: the engine's admission beside first come, first served.

Both policies have the same engine, weights and prompts. Under ours, requests carry their deadlines. Under first come,
first served they carry none: the engine admits every request, serves them in order and cuts nothing, and an answer
after the deadline counts as none. The deadline is three times the median time of an answer that is alone. The capacity
is the rate of answers of first come, first served to clients that keep all its slots busy and ask one question after
the other. Open loop: requests come at random (Poisson) at a multiple of the capacity. Closed loop: a client asks again
once it is answered; a client that is refused waits as long as the refusal says.

An answer is good if it is whole and in time; goodput is the number of good answers a second. An admitted request is in
time if it is answered, or abstained from, before its deadline. Overrun is the time after the deadline, in milliseconds
and in groups of layers.

`--clock cpu` counts the processor time of this process and skips what it would wait, so that other processes of a busy
machine do not count. It is for one thread.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import cycle
from random import Random
from statistics import fmean, median, quantiles

from benchmarks.harness.command import Measured, ratio, run
from benchmarks.harness.computing import Computing, computing
from benchmarks.harness.record import Figure
from benchmarks.harness.texts import own_domains
from tuili.engine import Budget, Engine, Request, Ticket, load_engine, load_runner
from tuili.errors import InputError, Overloaded
from tuili.model import LoadedModel, load_model
from tuili.store import shipped_names
from tuili.tasks import unseen_problems

POLICIES = ("ours", "fcfs")
DEADLINE_FACTOR = 3.0
"""Of the median time of an answer that is alone."""
WARM_UP_ANSWERS = 32
"""That are timed alone, and that an engine gives before it is measured."""
UNITS = {
    "goodput": "requests/s",
    "offered": "requests/s",
    "in_time": "share",
    "refused": "share",
    "depth": "layers",
    "overrun_p50": "ms",
    "overrun_p99": "ms",
    "overrun_max": "ms",
    "overrun_p99_groups": "groups of layers",
}


class Clock:
    """Seconds of the `wall` clock, or of the processor time (`cpu`) of this process. Raises `InputError` for others."""

    def __init__(self, of: str) -> None:
        if of not in ("wall", "cpu"):
            raise InputError(f"clock {of}: use wall or cpu")
        self._read = time.process_time if of == "cpu" else time.perf_counter
        self._waits, self._skipped = of == "wall", 0.0

    def __call__(self) -> float:
        return self._read() + self._skipped

    def wait(self, until: float) -> None:
        """Wait until this time, at most a hundredth of a second."""
        left = max(0.0, min(0.01, until - self()))
        if self._waits:
            time.sleep(left)
        else:
            self._skipped += left


@dataclass
class Load:
    """An engine under load. Times are seconds of its clock."""

    engine: Engine
    clock: Clock
    deadline: float
    tells_deadlines: bool
    """Whether a request carries its deadline."""
    offered: int = 0
    refused: int = 0
    depths: list[float] = field(default_factory=list)
    """Mean layers of a token, for each good answer."""
    behind: list[float] = field(default_factory=list)
    """Seconds from the deadline to the end, for each request that was admitted and has ended."""
    due: dict[Ticket, float] = field(default_factory=dict)

    def offer(self, prompt: str, came: float) -> float | None:
        """Offer a request that came at this time. Returns the seconds to wait where it is refused."""
        self.offered += 1
        left = came + self.deadline - self.clock()
        try:
            budget = Budget(deadline_ms=max(1e-3, 1e3 * left) if self.tells_deadlines else None)
            ticket = self.engine.admit(Request(prompt, budget))
        except (Overloaded, InputError) as error:
            self.refused += 1
            return error.retry_after if isinstance(error, Overloaded) else 0.0
        self.due[ticket] = came + self.deadline
        return None

    def step(self) -> int:
        """Let the engine take one step. Returns the number of requests that it has ended."""
        ended = self.engine.step()
        for ticket in ended:
            behind = self.clock() - self.due.pop(ticket)
            self.behind.append(behind)
            if behind <= 0 and ticket.answer is not None and ticket.answer.answer:
                self.depths.append(ticket.answer.receipt.mean_depth)
        return len(ended)

    def close(self) -> None:
        """Cancel the requests that have not ended."""
        for ticket in self.due:
            self.engine.cancel(ticket)

    def figures(self, seconds: float) -> dict[str, float]:
        """The figures, by their names in `UNITS`. A request that has not ended when the load ends counts as late."""
        unended = [self.clock() - due for due in self.due.values()]
        overruns = [1e3 * max(0.0, behind) for behind in (*self.behind, *unended)] or [0.0]
        p99 = quantiles(overruns, n=100)[-1] if len(overruns) > 1 else overruns[0]
        group = 1e3 * self.engine.scheduler.costs.group.expected(1)
        return {
            "goodput": len(self.depths) / seconds,
            "offered": self.offered / seconds,
            "in_time": sum(overrun == 0 for overrun in overruns) / len(overruns),
            "refused": self.refused / max(1, self.offered),
            "depth": fmean(self.depths) if self.depths else 0.0,
            "overrun_p50": median(overruns),
            "overrun_p99": p99,
            "overrun_max": max(overruns),
            "overrun_p99_groups": p99 / group if group else 0.0,
        }


def measure(
    model: str = "nano",
    loads: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0),
    clients: int = 32,
    seconds: float = 20.0,
    runs: int = 3,
    clock: str = "wall",
    runner: str = "auto",
    numbers: str = "auto",
) -> Measured:
    """The figures of both policies, in turns, for each load of the open loop and for the closed loop."""
    how = computing(runner, numbers)
    loaded, texts, time_of = load_model(model), prompts(model), Clock(clock)
    figures: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(runs):
        deadline = DEADLINE_FACTOR * time_alone(loaded, texts[:WARM_UP_ANSWERS], time_of, how)
        uncut = Load(warmed(loaded, texts, time_of, how), time_of, deadline, tells_deadlines=False)
        capacity = closed_loop(uncut, texts, clients, seconds)["ended"]
        if capacity == 0:
            raise InputError(f"seconds {seconds:g}: too few for an answer")
        figures["deadline"].append(1e3 * deadline)
        figures["capacity"].append(capacity)
        for load in loads:
            for policy in POLICIES:
                current = Load(warmed(loaded, texts, time_of, how), time_of, deadline, policy == "ours")
                for name, value in open_loop(current, texts, load * capacity, seconds, number).items():
                    figures[f"{policy}_{load:g}x_{name}"].append(value)
        for policy in POLICIES:
            current = Load(warmed(loaded, texts, time_of, how), time_of, deadline, policy == "ours")
            for name, value in closed_loop(current, texts, clients, seconds).items():
                figures[f"{policy}_closed_{name}"].append(value)
    units = UNITS | {"deadline": "ms", "capacity": "requests/s", "ended": "requests/s"}
    measured = {key: Figure(_unit(key, units), runs) for key, runs in figures.items()}
    for load in loads:
        key = f"{load:g}x_goodput"
        if min(measured[f"fcfs_{key}"].runs) > 0:
            measured[f"{key}_ratio"] = ratio(measured[f"ours_{key}"], measured[f"fcfs_{key}"])
    return {
        "model": model if model in shipped_names() else "given",
        "loads": loads,
        "clients": clients,
        "seconds": seconds,
        "clock": clock,
        "runtime": str(load_runner(loaded, **how._asdict()).runtime),
        "deadline": f"{DEADLINE_FACTOR:g} times the median time of an answer alone",
        "goal": "2x_goodput_ratio >= 2.5, ours in time >= 0.999, its overrun_p99_groups <= 1",
    }, measured


def _unit(key: str, units: dict[str, str]) -> str:
    return next(unit for name, unit in sorted(units.items(), key=lambda pair: -len(pair[0])) if key.endswith(name))


def prompts(model: str) -> list[str]:
    """Unseen problems of a model's domains at levels 1 to 3, mixed."""
    texts = [problem.prompt for problem in unseen_problems(own_domains(model), (1, 2, 3), per_cell=8, seed=1)]
    Random(0).shuffle(texts)
    return texts


def time_alone(loaded: LoadedModel, texts: list[str], clock: Clock, how: Computing) -> float:
    """The median seconds of an answer while nothing else is asked."""
    engine, spent = load_engine(loaded, **how._asdict(), clock=clock), list[float]()
    for text in texts:
        start = clock()
        engine.answer([Request(text)])
        spent.append(clock() - start)
    return median(spent)


def warmed(loaded: LoadedModel, texts: list[str], clock: Clock, how: Computing) -> Engine:
    """An engine that has answered some requests, so that it knows their costs."""
    engine = load_engine(loaded, **how._asdict(), clock=clock)
    engine.answer([Request(text) for text in texts[-WARM_UP_ANSWERS:]])
    return engine


def open_loop(load: Load, texts: list[str], rate: float, seconds: float, seed: int) -> dict[str, float]:
    """The figures of requests that come at random times, `rate` of them a second."""
    random, next_text, clock = Random(seed), cycle(texts), load.clock
    start = comes = clock()
    while (now := clock()) < start + seconds + load.deadline:
        while comes <= min(now, start + seconds):
            load.offer(next(next_text), comes)
            comes += random.expovariate(rate)
        if load.engine.busy:
            load.step()
        else:
            clock.wait(comes)
    figures = load.figures(seconds)
    load.close()
    return figures


def closed_loop(load: Load, texts: list[str], clients: int, seconds: float) -> dict[str, float]:
    """The figures of so many clients, each of which asks again once it is answered or has waited after a refusal."""
    clock, next_text, ended = load.clock, cycle(texts), 0
    start = clock()
    asks = [start] * clients
    while (now := clock()) < start + seconds:
        while asks and asks[0] <= now:
            heappop(asks)
            if (wait := load.offer(next(next_text), now)) is not None:
                heappush(asks, now + max(wait, 1e-3))
        if load.engine.busy:
            for _ in range(done := load.step()):
                heappush(asks, clock())
            ended += done
        else:
            clock.wait(asks[0])
    figures = load.figures(seconds) | {"ended": ended / seconds}
    load.close()
    return figures


if __name__ == "__main__":
    run("overload", measure)
