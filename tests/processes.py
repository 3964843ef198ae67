"""Processes that start at once, for tests that start many: copies of one that has imported torch and Tuili.

The package starts them by `spawn`, and users start commands, where each imports all that anew, for five seconds of
computing and more. Tests of the suite `kills` keep to that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from tuili.tasks import BUILT_IN_DOMAINS

PRELOADED = [
    "torch",
    "tuili.train.run",
    "tuili.cli.train",
    "tuili.eval.parallel",
    "tests.train.dist.torch_ranks",
    "tests.train.dist.gradients.packed_ranks",
    *(f"tuili.tasks.domains.{name}" for name in BUILT_IN_DOMAINS),
    "tests.preloaded",
]
STARTERS = ("tuili.train.dist.replicas", "tuili.eval.parallel")
"""Modules that start processes."""


def quick_context(method: str) -> ForkServerContext:
    """A context in place of the one of `method`."""
    assert method == "spawn"
    forkserver.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()  # here, where no signal is blocked: the processes inherit that
    return get_context("forkserver")


def start_quickly(patch: pytest.MonkeyPatch) -> None:
    """Let Tuili start such processes until the patch is undone."""
    for module in STARTERS:
        patch.setattr(f"{module}.get_context", quick_context)


def start_command(
    main: Callable[[list[str]], int], arguments: list[str], shown: Path, environment: Mapping[str, str]
) -> ForkServerProcess:
    """Start such a process that does what a command does, in a session of its own. main: what the command calls.

    It writes to the files `output` and `errors` of the folder `shown`, behind what is there.
    """
    process = quick_context("spawn").Process(target=_be_command, args=(main, arguments, shown, dict(environment)))
    process.start()
    return process


def _be_command(
    main: Callable[[list[str]], int], arguments: list[str], shown: Path, environment: Mapping[str, str]
) -> None:
    import torch

    from tuili.parent import LAUNCHER_VARIABLE

    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    if LAUNCHER_VARIABLE in environment:  # it would look for another parent than that of a copy
        os.environ[LAUNCHER_VARIABLE] = str(os.getppid())
    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    for number, name in ((1, "output"), (2, "errors")):
        with (shown / name).open("a") as file:
            os.dup2(file.fileno(), number)
    sys.exit(main(arguments))
