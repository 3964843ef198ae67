"""What counts as given: the checker against the slow twin of its reader, over pairs of a prompt and a line."""

from __future__ import annotations

from benchmarks.checker.facts.compare import compare
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure


def measure(pairs: int = 250_000, seed: int = 1) -> Measured:
    """How many lines are valid that may not be, and invalid that may not be. Prints each of them."""
    found = compare(pairs, seed)
    for kind, reports in (("false valid", found.false_valid), ("false invalid", found.false_invalid)):
        for report in reports:
            print(f"{kind}: {'; '.join(report)}")
    counts = {**found.verdicts, "false_valid": len(found.false_valid), "false_invalid": len(found.false_invalid)}
    counts |= {"pairs": found.verdicts.total(), "right_but_unsupported": found.missed}
    figures = {name: Figure("lines", [float(count)]) for name, count in sorted(counts.items())}
    return {"pairs": pairs, "seed": seed, "goal": "false_valid = 0, false_invalid <= 0.1%"}, figures


if __name__ == "__main__":
    run("facts", measure)
