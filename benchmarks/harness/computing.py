"""The options `--runner` and `--numbers` of benchmarks: how the engine is to compute."""

from __future__ import annotations

from typing import NamedTuple, cast, get_args

from tuili.engine import Numbers, RunnerName
from tuili.errors import InputError


class Computing(NamedTuple):
    """A runner and its numbers, as `load_runner` takes them: `**computing._asdict()`."""

    runner: RunnerName = "auto"
    numbers: Numbers = "auto"


AUTO = Computing()


def computing(runner: str, numbers: str) -> Computing:
    """What the two options ask for. Raises `InputError` for a name that is unknown."""
    for name, value, known in (("runner", runner, RunnerName), ("numbers", numbers, Numbers)):
        if value not in get_args(known):
            raise InputError(f"{name} {value}: use one of {', '.join(get_args(known))}")
    return Computing(cast(RunnerName, runner), cast(Numbers, numbers))
