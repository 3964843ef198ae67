"""Runs `tuili data build` in copies of a process that has imported it, and kills them at calls of functions.

Called as a program: a file with a JSON object, its fields those of `Plan`. Prints what was wrong, or nothing.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import msgspec

from tests.data.pipeline.conftest import contents
from tuili.cli import app
from tuili.data.pipeline import building, reading


class Plan(msgspec.Struct):
    """What is built, and how often it is killed."""

    arguments: list[str]
    """Of `tuili data build`, without the folder to write."""
    folder: str
    points: int
    """How many folders are built with a kill each, at a random call, ..."""
    chained: int
    """... and how often one more folder is killed, one time after another."""
    seed: int = 0


class Calls:
    """Counts calls of functions, of those in C such as `write` and `rename` too, and kills the process at one."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at, self.count = kill_at, 0

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if event.endswith("call"):
            self.count += 1
            if self.count == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def run(arguments: list[str], out: Path, kill_at: int | None = None) -> tuple[int, int]:
    """Build in a copy of this process. Returns how it ended, as `subprocess` has it, and how many calls it made where a
    number to be killed at is given, 0 for never.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        sys.argv = ["tuili", "data", "build", *arguments, "--out", str(out)]
        calls, code = Calls(kill_at or 0), 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            if kill_at is not None:
                sys.setprofile(calls)
            app.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.setprofile(None)
            os.write(write, str(calls.count).encode())
            os._exit(code)
    os.close(write)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read) as told:
        return os.waitstatus_to_exitcode(status), int(told.read() or 0)


def finish(arguments: list[str], out: Path) -> int:
    """Go on without a kill, unless the build was killed behind its end."""
    return 0 if out.exists() and not (out / ".build").exists() else run(arguments, out)[0]


def main(plan: Plan) -> list[str]:
    """What was wrong."""
    building.STEP_ITEMS, reading.BATCH_ITEMS = 10, 5  # many steps of a small corpus
    rng, folder = random.Random(plan.seed), Path(plan.folder)
    code, calls = run(plan.arguments, folder / "whole", 0)
    expected = contents(folder / "whole")
    assert code == 0 and len(expected) > 3
    wrong, killed = list[str](), 0
    for number in range(2 * plan.points):
        if killed == plan.points:
            break
        point, out = rng.randrange(1, calls), folder / f"out-{number}"
        code, _ = run(plan.arguments, out, point)
        killed += (
            code == -signal.SIGKILL
        )  # else it came to its end: how many calls threads make that wait depends on time
        if (finished := finish(plan.arguments, out)) or contents(out) != expected:
            wrong.append(f"killed at call {point:,} of {calls:,}: it went on to other bytes, or ended with {finished}")
    out = folder / "chained"
    for _ in range(plan.chained):
        if not out.exists():
            run(plan.arguments, out, rng.randrange(1, calls // 2))
    if finish(plan.arguments, out) or contents(out) != expected:
        wrong.append("killed one time after another: it went on to other bytes")
    if killed < plan.points:
        wrong.append(f"only {killed} of {plan.points} were killed")
    return wrong


if __name__ == "__main__":
    sys.stdout.write("\n".join(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan))))
