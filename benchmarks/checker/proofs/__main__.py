"""Mutated proofs: how many the checker accepts that a judge by sympy and by evaluation objects to."""

from __future__ import annotations

import time

from benchmarks.checker.proofs.compare import compare
from benchmarks.checker.proofs.mutations import MUTATIONS
from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure


def measure(chains: int = 100_000, seed: int = 1) -> Measured:
    """How many mutated chains are accepted, and how many of these wrongly. Prints each of those."""
    start = time.process_time()
    found = compare(chains, seed)
    seconds = time.process_time() - start
    for kind, proof, against in found.wrong:
        print(f"{kind}: {proof.claim} | {' ; '.join(proof.steps)} | {dict(proof.given)} | {against}")
    counts = {"accepted_rightly": 0, "accepted_wrongly": 0, **found.verdicts}
    counts |= {"chains": found.kinds.total(), "proofs": found.proofs, "proofs_not_accepted": found.unproven}
    figures = {name: Figure("chains", [float(count)]) for name, count in sorted(counts.items())}
    figures["cpu_seconds"] = Figure("s", [seconds])
    return {"chains": chains, "seed": seed, "kinds": len(MUTATIONS), "goal": "accepted_wrongly = 0"}, figures


if __name__ == "__main__":
    run("proofs", measure)
