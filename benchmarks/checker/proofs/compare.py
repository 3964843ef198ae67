"""Mutates generated proofs and compares what the checker accepts with what the judge says of it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.checker.proofs.judge import objections
from benchmarks.checker.proofs.mutations import MUTATIONS, Proof
from tuili.steps import Context, Status, proves
from tuili.tasks import LEVELS, Split, generate

MUTANTS_PER_PROOF = 12


@dataclass
class Found:
    """Counts by outcome and by kind of mutation, and the chains that were accepted though the judge objects."""

    verdicts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, Proof, list[str]]] = field(default_factory=list)
    proofs: int = 0
    unproven: int = 0
    """Proofs as generated that checker or judge did not accept."""


def compare(count: int, seed: int) -> Found:
    """The outcomes of so many mutated chains."""
    rng, found = random.Random(seed), Found()
    while found.kinds.total() < count:
        proof = generated(rng)
        found.proofs += 1
        if _verdict(proof) is not Status.VALID or objections(proof.claim, proof.steps, proof.given, found.proofs):
            found.unproven += 1
        seen = [proof]
        for kind in rng.sample([*MUTATIONS], MUTANTS_PER_PROOF):
            mutant = MUTATIONS[kind](proof, rng)
            if mutant is None or mutant in seen or found.kinds.total() == count:
                continue
            seen.append(mutant)
            found.kinds[kind] += 1
            status = _verdict(mutant)
            if status is not Status.VALID:
                found.verdicts[status.value] += 1
                continue
            against = objections(mutant.claim, mutant.steps, mutant.given, found.kinds.total())
            found.verdicts["accepted_wrongly" if against else "accepted_rightly"] += 1
            if against:
                found.wrong.append((kind, mutant, against))
    return found


def generated(rng: random.Random) -> Proof:
    """A proof as the domain makes it."""
    problem = generate("proofs", Split.TRAIN.seed(rng.randrange(10**9)), 0, rng.choice(LEVELS))
    return Proof(problem.claim, problem.steps, dict(problem.labelled.facts))


def _verdict(proof: Proof) -> Status:
    prompt = "\n".join([*(f"{label}: {text}" for label, text in proof.given.items()), f"Claim: {proof.claim}"])
    return proves(proof.claim, proof.steps, Context.from_prompt(prompt)).status
