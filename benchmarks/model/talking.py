"""What conversations cost a model: the same questions alone, behind system messages and earlier turns, and follow-ups.

Texts of conversations are held out: no training has seen these system messages, courtesies, small talk and follow-ups.
Follow-ups are also asked in the texts that trainings use, `follow_up_seen`. Differences are paired by question. The
same questions in other wordings are left to `understanding`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.shares import asked_side_by_side, paired, share
from benchmarks.harness.texts import own_domains
from tuili.engine import load_decoder
from tuili.eval import answer_conversations
from tuili.model import LoadedModel, load_model
from tuili.store import model_hash, shipped_names
from tuili.tasks import Ingredient, Split, unseen_problems

SEEN_FOLLOW_UP = f"{Ingredient.FOLLOW_UP}_seen"


class Pair(NamedTuple):
    """A question in a conversation of one kind: whether the answer there was right, and that to it alone."""

    ingredient: str
    inside: bool
    alone: bool


class Talk(NamedTuple):
    """The pairs of some problems, and how many conversations did not fit the model's context."""

    pairs: list[Pair]
    left_out: int


def measure(
    model: str = "nano",
    per_cell: int = 100,
    levels: tuple[int, ...] = (1, 2),
    languages: tuple[str, ...] = ("en", "zh"),
    wording: str = "seen",
    seed: int = 0,
) -> Measured:
    """For each kind of conversation the accuracy inside and alone and their difference, over all and by language."""
    loaded, domains = load_model(model), own_domains(model)
    jobs = {
        f"{language}_level{level}": partial(talk, domains, language, level, per_cell, wording, seed)
        for level in sorted(levels, reverse=True)
        for language in languages
    }
    talks = {name: Talk(*result) for name, result in asked_side_by_side(loaded, jobs).items()}
    pairs = {name: result.pairs for name, result in talks.items()}
    by_language = {
        language: [pair for name, some in pairs.items() if name.startswith(f"{language}_") for pair in some]
        for language in languages
    }
    whole = {"all": [pair for some in pairs.values() for pair in some]}
    figures: dict[str, Figure] = {}
    for group, chosen in (whole | by_language).items():
        for ingredient in (*Ingredient, SEEN_FOLLOW_UP):
            figures |= compared(f"{ingredient}_{group}", [pair for pair in chosen if pair.ingredient == ingredient])
    for group, chosen in pairs.items():
        for kind in (Ingredient.FOLLOW_UP, SEEN_FOLLOW_UP):
            figures |= compared(f"{kind}_{group}", [pair for pair in chosen if pair.ingredient == kind])
    return {
        "model": model if model in shipped_names() else "given",
        "model_hash": model_hash(loaded.path),
        "reads": loaded.model.config.conversation,
        "problems": {
            "per_cell": per_cell,
            "split": str(Split.TEST),
            "seed": seed,
            "domains": list(domains),
            "levels": list(levels),
            "wording": wording,
        },
        "left_out": {name: result.left_out for name, result in talks.items()},
        "goal": "system_all_difference and turns_all_difference >= -2 points; "
        "follow_up_seen and follow_up at level 1 >= 0.85",
    }, figures


def talk(
    domains: Sequence[str],
    language: str,
    level: int,
    per_cell: int,
    wording: str,
    seed: int,
    loaded: LoadedModel,
    progress: Callable[[int, int], None],
) -> Talk:
    """Ask problems of one level in one language, each alone and in a conversation of each kind."""
    problems = unseen_problems(domains, (level,), per_cell, seed, wording=wording, language=language)
    decoder = load_decoder(loaded, threads=torch.get_num_threads())
    answers, left_out = answer_conversations(decoder, problems, wording, progress)
    follow_ups, too_long = answer_conversations(
        decoder, problems, wording, progress, ingredients=[Ingredient.FOLLOW_UP], held_out=False
    )
    pairs = [Pair(str(one.ingredient), one.inside.correct, one.alone.correct) for one in answers]
    pairs += [Pair(SEEN_FOLLOW_UP, one.inside.correct, one.alone.correct) for one in follow_ups]
    return Talk(pairs, left_out + too_long)


def compared(name: str, pairs: Sequence[Pair]) -> dict[str, Figure]:
    """The figures of some questions of one kind of conversation: inside, alone, and the difference in points."""
    inside, alone = [pair.inside for pair in pairs], [pair.alone for pair in pairs]
    return share(name, inside) | share(f"{name}_alone", alone) | paired(f"{name}_difference", inside, alone)


if __name__ == "__main__":
    run("talking", measure)
