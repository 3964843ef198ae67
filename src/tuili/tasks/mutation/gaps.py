"""Gaps in a chain: a step left out or too early, an end too soon, an answer that is not that of the steps.

Each function yields changed chains of a problem in random order; that a changed chain is wrong is for
`mutations` to find out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tuili.tasks.mutation.carrying import carried, is_new
from tuili.tasks.mutation.fallacies import negations, opposite_answer
from tuili.tasks.mutation.mixups import problem_names
from tuili.tasks.mutation.rewriting import (
    NUMBER,
    MutatedChain,
    numbers,
    result,
    result_start,
    same_form,
    shuffled,
    substituted,
)
from tuili.tasks.mutation.slips import one_off, other_digit
from tuili.tasks.problem import Problem


def dropped_step(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A step is left out; the later ones rest on it, or go on from the number that it should have changed."""
    for at in shuffled(rng, max(len(problem.steps) - 1, 0)):
        yield MutatedChain((*problem.steps[:at], *problem.steps[at + 1 :]), problem.answer)
        step = problem.steps[at]
        start, value = result_start(step), numbers(result(step) or "")
        before = numbers(step[:start])
        if len(value) == 1 and before and is_new(value[0], problem, at):
            chain = carried(problem, at, step[:start] + NUMBER.sub(before[0], step[start:]))
            if chain is not None:
                yield MutatedChain((*chain.steps[:at], *chain.steps[at + 1 :]), chain.answer)


def swapped_steps(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """A step stands before the one that it rests on."""
    for at in shuffled(rng, max(len(problem.steps) - 1, 0)):
        first, second = problem.steps[at : at + 2]
        yield MutatedChain((*problem.steps[:at], second, first, *problem.steps[at + 2 :]), problem.answer)


def premature_end(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """The chain breaks off; its last result is taken for the answer, or one is guessed where no result can be."""
    asked = numbers(problem.answer)
    for length in shuffled(rng, len(problem.steps)):
        steps = problem.steps[:length]
        if not asked:
            yield from (MutatedChain(steps, answer) for answer in _other_answers(problem, rng)[:1] if steps)
            continue
        reached = numbers(result(steps[-1]) or "") if steps else ()
        if len(reached) == len(asked) == 1 and same_form(reached[0], asked[0]):
            yield MutatedChain(steps, substituted(problem.answer, {asked[0]: reached[0]}))


def right_steps_wrong_answer(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """Every step is right, and the answer is another one."""
    for answer in _other_answers(problem, rng):
        yield MutatedChain(problem.steps, answer)


def _other_answers(problem: Problem, rng: random.Random) -> list[str]:
    """Wrong answers of the form of the right one, in random order."""
    answer = problem.answer
    if opposite := opposite_answer(answer):
        return [opposite]
    if " are " in answer:
        found = negations(answer)
    elif ", " in answer:
        names = answer.split(", ")
        found = [", ".join((*names[:i], names[i + 1], names[i], *names[i + 2 :])) for i in range(len(names) - 1)]
    elif places := list(NUMBER.finditer(answer)):
        found = [value for value in map(result, problem.steps) if value is not None and same_form(value, answer)]
        for place in places:
            edited = (*other_digit(place[0], rng)[:2], *one_off(place[0], rng)[:1])
            found += [answer[: place.start()] + text + answer[place.end() :] for text in edited]
    else:
        found = sorted(problem_names(problem))
    return rng.sample(found, len(found))
