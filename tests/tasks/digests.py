"""Problems and mutants of all domains in one number, which must be the same in every process."""

from __future__ import annotations

import hashlib
import sys

from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, MUTATION_KINDS, domain_names, generate, mutants, mutate


def of_problems() -> str:
    digest = hashlib.sha256()
    for name in domain_names():
        for level in LEVELS:
            problem = generate(name, 2_000_000_007, 3, level)
            digest.update(repr((problem.prompt, problem.steps, problem.answer)).encode())
    return digest.hexdigest()


def of_mutants() -> str:
    digest = hashlib.sha256()
    for name in BUILT_IN_DOMAINS:
        problem = generate(name, 5, 3, 2)
        for mutant in (*(mutate(problem, kind, 7) for kind in MUTATION_KINDS), *mutants(problem, 7, 10)):
            digest.update(repr(mutant and (mutant.steps, mutant.answer, mutant.kind, mutant.first_error)).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{of_problems()} {of_mutants()}\n")
