"""Gaps in a chain: a step is missing or comes too early, the chain ends too soon, or the answer is replaced.

Each function yields changed chains of a problem in random order. `mutations` decides whether a changed chain is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tuili.tasks.mutation.carrying import carried, is_new
from tuili.tasks.mutation.fallacies import negations, opposite_answer
from tuili.tasks.mutation.premises import problem_names
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
    """A step is left out. Later steps still rest on it, or continue with the number that it should have changed."""
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
    """A step swaps places with the next one, which may rest on it."""
    for at in shuffled(rng, max(len(problem.steps) - 1, 0)):
        first, second = problem.steps[at : at + 2]
        yield MutatedChain((*problem.steps[:at], second, first, *problem.steps[at + 2 :]), problem.answer)


def premature_end(problem: Problem, rng: random.Random) -> Iterator[MutatedChain]:
    """The chain breaks off. Its last result becomes the answer; an answer that is not a number is guessed."""
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
    """Every step is right and the answer is wrong."""
    for answer in _other_answers(problem, rng):
        yield MutatedChain(problem.steps, answer)


def _other_answers(problem: Problem, rng: random.Random) -> list[str]:
    """Other answers in the form of the right one, in random order."""
    answer = problem.answer
    if opposite := opposite_answer(answer):
        return [opposite]
    if " are " in answer:
        answers = negations(answer)
    elif ", " in answer and problem.specification is None:
        names = answer.split(", ")
        answers = [", ".join((*names[:i], names[i + 1], names[i], *names[i + 2 :])) for i in range(len(names) - 1)]
    elif places := list(NUMBER.finditer(answer)):
        answers = [value for value in map(result, problem.steps) if value is not None and same_form(value, answer)]
        for place in places:
            edited = (*other_digit(place[0], rng)[:2], *one_off(place[0], rng)[:1])
            answers += [answer[: place.start()] + text + answer[place.end() :] for text in edited]
    else:
        answers = sorted(problem_names(problem))
    return rng.sample(answers, len(answers))
