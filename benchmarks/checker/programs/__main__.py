"""Fuzzed programs and specifications: values and verdicts against CPython, and the bounds on time and memory."""

from __future__ import annotations

from benchmarks.checker.programs.compare import compare
from benchmarks.checker.programs.hostile import time_and_memory
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure


def measure(count: int = 10_000, seed: int = 1) -> Measured:
    """How many values, exceptions and verdicts differ from CPython's. Prints each of them."""
    found = compare(count, seed)
    for difference in found.differences:
        print(difference)
    milliseconds, mebibytes = time_and_memory()
    counts = {**found.counts, "differences": len(found.differences)}
    figures = {name: Figure("programs", [float(number)]) for name, number in sorted(counts.items())}
    figures["slowest_verdict"] = Figure("ms", [max(found.seconds) * 1e3])
    figures["slowest_hostile_verdict"] = Figure("ms", [max(milliseconds)])
    figures["most_memory"] = Figure("MiB", [max(mebibytes)])
    return {"count": count, "seed": seed, "goal": "differences = 0"}, figures


if __name__ == "__main__":
    run("programs", measure)
