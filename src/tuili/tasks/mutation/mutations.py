"""Mutations: wrong chains of reasoning made from right ones, each step labelled by the exact checker.

A mutant has one error of a named kind. Chains that stay right by accident, or whose first doubtful step the
checker cannot decide, are no mutants. How the errors are made is left to `slips`, `mixups`, `fallacies`
and `gaps`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from tuili.errors import InputError
from tuili.steps import Status, Verdict, check_chain
from tuili.tasks.mutation import fallacies, gaps, mixups, slips
from tuili.tasks.mutation.rewriting import MutatedChain, Mutation
from tuili.tasks.problem import Problem
from tuili.tasks.scoring import same_answer

MAX_CANDIDATES = 24
"""How many changed chains are checked before a kind counts as one that does not apply."""

_MUTATIONS: Mapping[str, Mutation] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            slips.wrong_digit,
            slips.carried_error,
            slips.off_by_one,
            slips.wrong_sign,
            slips.copied_number,
            mixups.wrong_operator,
            mixups.wrong_operation,
            mixups.swapped_operands,
            mixups.flipped_comparison,
            mixups.wrong_unit,
            mixups.swapped_names,
            fallacies.negated_conclusion,
            fallacies.converse,
            fallacies.overgeneralised,
            fallacies.wrong_rule,
            fallacies.missing_premise,
            gaps.dropped_step,
            gaps.swapped_steps,
            gaps.premature_end,
            gaps.right_steps_wrong_answer,
        )
    }
)
MUTATION_KINDS: tuple[str, ...] = tuple(_MUTATIONS)
"""The kinds of errors."""


@dataclass(frozen=True)
class Mutant:
    """A wrong chain with the checker's verdict on each of its steps."""

    problem: Problem
    steps: tuple[str, ...]
    answer: str
    kind: str
    labels: tuple[Verdict, ...] = field(repr=False)

    @property
    def first_error(self) -> int | None:
        """The place of the first invalid step, or `len(steps)` if all are valid and the answer is wrong.

        None if nothing is known to be wrong: no step is invalid, and the answer is right or a step is undecided.
        """
        for at, label in enumerate(self.labels):
            if label.status is Status.INVALID:
                return at
        is_right = same_answer(self.problem.answer, self.answer)
        return None if is_right or self.undecided else len(self.steps)

    @property
    def undecided(self) -> tuple[int, ...]:
        """The places of the steps that the checker finds neither valid nor invalid."""
        return tuple(at for at, label in enumerate(self.labels) if label.status not in (Status.VALID, Status.INVALID))


def candidates(problem: Problem, kind: str, seed: int | str) -> Iterator[Mutant]:
    """The chains that a kind of error makes of a problem, in random order, also those that are not wrong.

    Raises `InputError` for an unknown kind.
    """
    if kind not in _MUTATIONS:
        raise InputError(f"unknown kind of error {kind!r}: use one of {', '.join(MUTATION_KINDS)}")
    for chain in _MUTATIONS[kind](problem, random.Random(f"{problem.id}/{kind}/{seed}")):
        if chain != (problem.steps, problem.answer):
            yield Mutant(problem, *chain, kind, tuple(check_chain(chain.steps, problem.context)))


def mutate(problem: Problem, kind: str, seed: int | str) -> Mutant | None:
    """A mutant of a right chain, the same everywhere for a problem, kind and seed; None where the kind does not apply.

    All steps before its `first_error` are valid. Raises `InputError` for an unknown kind.
    """
    for mutant in islice(candidates(problem, kind, seed), MAX_CANDIDATES):
        at = mutant.first_error
        if at is not None and all(at < place for place in mutant.undecided):
            return mutant
    return None


def mutants(problem: Problem, seed: int, count: int) -> list[Mutant]:
    """Up to `count` different mutants, evenly of the kinds that apply, which take turns in random order.

    Fewer where a whole turn brings nothing new. Raises `InputError` for a negative count.
    """
    if count < 0:
        raise InputError(f"count {count} is negative: use 0 or more")
    kinds = random.Random(f"{problem.id}/{seed}").sample(MUTATION_KINDS, len(MUTATION_KINDS))
    found: dict[MutatedChain, Mutant] = {}
    for turn in range(count):
        before = len(found)
        for kind in tuple(kinds):
            mutant = mutate(problem, kind, f"{seed}/{turn}")
            if mutant is None:
                kinds.remove(kind)
            else:
                found.setdefault(MutatedChain(mutant.steps, mutant.answer), mutant)
            if len(found) == count:
                return list(found.values())
        if len(found) == before:
            break
    return list(found.values())
