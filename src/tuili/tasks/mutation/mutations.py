"""Mutants: wrong chains of reasoning made from right ones, with the exact checker's label on each step.

A mutant has one error of a named kind. A chain is not a mutant if it stays right by accident, or if the checker cannot
decide a step before the error. `slips`, `mixups`, `fallacies` and `gaps` make the errors.
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

MAX_CHANGED_CHAINS = 24
"""How many changed chains are checked before a kind of error counts as not applicable to a problem."""

_MUTATIONS: Mapping[str, Mutation] = MappingProxyType(
    {
        mutation.__name__: mutation
        for mutation in (
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
"""The names of all kinds of errors."""


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
        """The place of the first invalid step, or `len(steps)` if all steps are valid and the answer is wrong.

        None if no error is known: no step is invalid, and the answer is right or a step is undecided.
        """
        for at, label in enumerate(self.labels):
            if label.status is Status.INVALID:
                return at
        is_right = same_answer(self.problem.answer, self.answer, self.problem.specification)
        return None if is_right or self.undecided else len(self.steps)

    @property
    def undecided(self) -> tuple[int, ...]:
        """The places of the steps that the checker finds neither valid nor invalid."""
        return tuple(at for at, label in enumerate(self.labels) if label.status not in (Status.VALID, Status.INVALID))


def candidates(problem: Problem, kind: str, seed: int | str) -> Iterator[Mutant]:
    """Yield the changed chains of a problem for a kind of error, in random order. Some may be right by accident.

    Raises `InputError` for an unknown kind.
    """
    if kind not in _MUTATIONS:
        raise InputError(f"unknown kind of error {kind!r}: use one of {', '.join(MUTATION_KINDS)}")
    for chain in _MUTATIONS[kind](problem, random.Random(f"{problem.id}/{kind}/{seed}")):
        if chain != (problem.steps, problem.answer):
            yield Mutant(problem, *chain, kind, tuple(check_chain(chain.steps, problem.context)))


def mutate(problem: Problem, kind: str, seed: int | str) -> Mutant | None:
    """A mutant of a problem's chain, or None if the kind of error does not apply.

    The same problem, kind and seed give the same mutant everywhere. All steps before its `first_error` are valid.
    Raises `InputError` for an unknown kind.
    """
    for mutant in islice(candidates(problem, kind, seed), MAX_CHANGED_CHAINS):
        at = mutant.first_error
        if at is not None and all(at < place for place in mutant.undecided):
            return mutant
    return None


def mutants(problem: Problem, seed: int, count: int) -> list[Mutant]:
    """Up to `count` different mutants of a problem. The applicable kinds of errors take turns in random order.

    There are fewer if a whole turn gives no new mutant. Raises `InputError` for a negative count.
    """
    if count < 0:
        raise InputError(f"count {count} is negative: use 0 or more")
    kinds = random.Random(f"{problem.id}/{seed}").sample(MUTATION_KINDS, len(MUTATION_KINDS))
    by_chain: dict[MutatedChain, Mutant] = {}
    for turn in range(count):
        before = len(by_chain)
        for kind in tuple(kinds):
            mutant = mutate(problem, kind, f"{seed}/{turn}")
            if mutant is None:
                kinds.remove(kind)
            else:
                by_chain.setdefault(MutatedChain(mutant.steps, mutant.answer), mutant)
            if len(by_chain) == count:
                return list(by_chain.values())
        if len(by_chain) == before:
            break
    return list(by_chain.values())
