"""Accuracy in conversations, each figure together with the one for the same questions asked alone.

By default the texts are held out: no training has seen these system messages, courtesies, small talk and follow-ups.
`tasks` makes the conversations, `runner` answers them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tuili.engine import Decoder
from tuili.errors import PromptTooLong
from tuili.eval.accuracy import accuracy, paired_difference, wilson_interval
from tuili.eval.runner import ScoredResponse, answer_problems
from tuili.steps import Turns
from tuili.tasks import Conversation, Ingredient, Problem, converse, takes_follow_up


@dataclass(frozen=True)
class Compared:
    """The responses to a question in a conversation and alone. `ingredient`: what the conversation consists of."""

    ingredient: Ingredient
    inside: ScoredResponse
    alone: ScoredResponse


def answer_conversations(
    decoder: Decoder,
    problems: Sequence[Problem],
    wording: str,
    progress: Callable[[int, int], None] | None = None,
    *,
    ingredients: Sequence[Ingredient] = tuple(Ingredient),
    held_out: bool = True,
) -> tuple[list[Compared], int]:
    """The responses to every problem in one conversation for each ingredient, and alone; and how many did not fit.

    A follow-up is asked only if the problem allows one. Conversations that do not fit the model's context are left
    out. `held_out`: whether to use texts that no training has seen, or those that training may have seen.
    """
    wanted = [
        (ingredient, problem)
        for ingredient in ingredients
        for problem in problems
        if ingredient is not Ingredient.FOLLOW_UP or takes_follow_up(problem)
    ]
    made = [(ingredient, _made(ingredient, problem, wording, held_out)) for ingredient, problem in wanted]
    drawn = [(ingredient, one) for ingredient, one in made if _fits(decoder, one.asked)]
    alone = {_plain_name(ingredient, one): one.alone for ingredient, one in drawn}
    asked = [*(one.asked for _, one in drawn), *alone.values()]
    responses = answer_problems(decoder, asked, progress)
    plain = dict(zip(alone, responses[len(drawn) :], strict=True))
    compared = [
        Compared(ingredient, response, plain[_plain_name(ingredient, one)])
        for (ingredient, one), response in zip(drawn, responses, strict=False)
    ]
    return compared, len(wanted) - len(compared)


def conversation_section(compared: Sequence[Compared], left_out: int, kind: str) -> dict[str, Any]:
    """The section `conversations` of a report. `kind`: the conversations that the model was trained on."""
    return {
        "reads": kind,
        "left_out": left_out,
        "ingredients": [
            _figures(ingredient, [one for one in compared if one.ingredient is ingredient])
            for ingredient in Ingredient
            if any(one.ingredient is ingredient for one in compared)
        ],
    }


def _figures(ingredient: Ingredient, compared: Sequence[Compared]) -> dict[str, Any]:
    inside, alone = [one.inside for one in compared], [one.alone for one in compared]
    points, ci95 = paired_difference([one.correct for one in inside], [one.correct for one in alone])
    n = len(compared)
    return {
        "ingredient": str(ingredient),
        "n": n,
        "accuracy": accuracy(inside),
        "ci95": wilson_interval(sum(one.correct for one in inside), n),
        "alone": accuracy(alone),
        "alone_ci95": wilson_interval(sum(one.correct for one in alone), n),
        "difference": points,
        "difference_ci95": ci95,
    }


def _made(ingredient: Ingredient, problem: Problem, wording: str, held_out: bool) -> Conversation:
    rng = random.Random(f"{ingredient}/{problem.id}")
    return converse(problem, rng, wording=wording, held_out=held_out, ingredients=[ingredient])


def _plain_name(ingredient: Ingredient, one: Conversation) -> str:
    """The key of the question asked alone: that of the problem, unless a follow-up asks something else."""
    return one.id if ingredient is Ingredient.FOLLOW_UP else one.problem.id


def _fits(decoder: Decoder, problem: Problem) -> bool:
    try:
        decoder.encode(Turns(problem.prompt, problem.earlier))
    except PromptTooLong:
        return False
    return True
