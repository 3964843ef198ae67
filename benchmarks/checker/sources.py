"""Traced numbers: the share of generated chains whose every number comes from somewhere, by domain; and the share of
wrong chains that tracing finds, by kind of error.

A wrong chain is found where a step has a number from nowhere, or where numbers of the prompt are unused that the right
chain uses. Many kinds of errors bring in no number, and cannot be found so.
"""

from __future__ import annotations

from collections import Counter

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from tuili.steps import ChainSources, trace_numbers
from tuili.tasks import BUILT_IN_DOMAINS, LEVELS, MUTATION_KINDS, Problem, Split, generate, mutate


def measure(problems: int = 25, mutated: int = 2) -> Measured:
    """Shares over so many problems for each domain and level, of which the first `mutated` are changed by each kind."""
    seed, chains, traced, wrong, found = (
        Split.TEST.seed(0),
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
    )
    for name in BUILT_IN_DOMAINS:
        for level in LEVELS:
            for index in range(problems):
                problem = generate(name, seed, index, level)
                right = trace(problem, problem.steps)
                chains[name] += 1
                traced[name] += is_traced(right)
                for kind in MUTATION_KINDS if index < mutated else ():
                    mutant = mutate(problem, kind, 0)
                    if mutant is not None:
                        wrong[kind] += 1
                        found[kind] += is_found(trace(problem, mutant.steps), right)
    figures = {"traced": Figure("share", [traced.total() / chains.total()])}
    figures |= {f"traced_{name}": Figure("share", [traced[name] / chains[name]]) for name in BUILT_IN_DOMAINS}
    figures |= {f"found_{kind}": Figure("share", [found[kind] / wrong[kind]]) for kind in MUTATION_KINDS if wrong[kind]}
    config = {"problems": problems, "mutated": mutated, "chains": chains.total(), "wrong_chains": dict(wrong)}
    return {**config, "goal": "traced >= 0.999"}, figures


def trace(problem: Problem, steps: tuple[str, ...]) -> ChainSources:
    """Where the numbers of some steps come from, with the prompt of a problem."""
    return trace_numbers(problem.prompt, steps, problem.context)


def is_traced(chain: ChainSources) -> bool:
    """Whether every number of a chain comes from somewhere."""
    return all(step.traced for step in chain.steps)


def is_found(wrong: ChainSources, right: ChainSources) -> bool:
    """Whether tracing tells a wrong chain from the right one: numbers from nowhere, or more that are unused."""
    return not is_traced(wrong) or not set(wrong.unused) <= set(right.unused)


if __name__ == "__main__":
    run("sources", measure)
