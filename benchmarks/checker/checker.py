"""Arithmetic lines that the checker decides a second on one core, over the steps of generated problems."""

from __future__ import annotations

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure, time_runs
from tuili.steps import Status, check
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, Split, generate


def measure(problems: int = 20, runs: int = 9) -> Measured:
    """Lines a second of whole passes over the lines of so many problems for each domain and level."""
    lines = arithmetic_lines(problems)
    (passes,) = time_runs(lambda: [check(line) for line in lines], n=runs)
    figures = {"lines_a_second": Figure("lines/s", [len(lines) / (ms / 1e3) for ms in passes.runs])}
    return {"problems": problems, "lines": len(lines), "goal": "lines_a_second >= 5000"}, figures


def arithmetic_lines(problems: int) -> list[str]:
    """The distinct steps of all domains that are arithmetic and valid without a context."""
    seed = Split.TEST.seed(0)
    each = ((name, level, index) for name in BUILT_IN_DOMAINS for level in LEVELS for index in range(problems))
    steps = (step for name, level, index in each for step in generate(name, seed, index, level).steps)
    verdicts = ((step, check(step)) for step in dict.fromkeys(steps))
    return [step for step, verdict in verdicts if (verdict.status, verdict.kind) == (Status.VALID, "arithmetic")]


if __name__ == "__main__":
    run("checker", measure)
