"""Runs of the verb in processes of their own that end at a certain point, by a signal that they send to themselves.

The processes are forked from one that has imported everything, so that each begins at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from tuili.cli.app import EXIT_INTERRUPTED
from tuili.store import model_hash, open_model


class Point(NamedTuple):
    """When a signal comes: at the call number `call` of a function, by the module that calls it and its name there."""

    module: str
    function: str
    call: int


def run_verb(arguments: Sequence[str], number: signal.Signals | None = None, point: Point | None = None) -> int:
    """Run `tuili` with arguments until its end, or until a signal at a point. Returns the exit code, or the negative
    number of the signal that ended it."""
    return in_process(_run, list(arguments), number, point)


def in_process(target: Callable[..., None], *arguments: Any) -> int:
    """Run a function in a process of its own. Returns the exit code, as above."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.compress.preloaded"])
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def check_points(
    run: Callable[..., int], out: Path, number: signal.Signals, points: Sequence[Point], whole: str
) -> None:
    """Assert that a verb that ends at each point in turn, and then goes on, writes the model with the hash `whole`.

    run: gives the exit code of a session that goes on, if its first argument says so, and ends by a signal at a point.
    """
    for session, point in enumerate(points):
        ended = run(session > 0 and (out / "run.json").exists(), number, point)
        assert ended == (-number if number is signal.SIGKILL else EXIT_INTERRUPTED), point
        assert not (out / "model").exists(), point
    assert run(True) == 0
    assert model_hash(out / "model") == whole
    open_model(out / "model")


def _run(arguments: list[str], number: signal.Signals | None, point: Point | None) -> None:
    import tuili.compress.own as own
    from tuili.cli.app import main

    own.THRESHOLD_DOCUMENTS = 6
    if point is not None:
        assert number is not None
        end_at(point, number)
    sys.exit(main(arguments))


def end_at(point: Point, number: signal.Signals) -> None:
    """Let this process send itself a signal when it comes to a point."""
    module = import_module(point.module)
    setattr(module, point.function, _with_signal(getattr(module, point.function), number, point.call))


def _with_signal(function: Callable[..., Any], number: signal.Signals, call: int) -> Callable[..., Any]:
    calls = 0

    def called(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), number)
        return function(*arguments, **more)

    return called
