"""Proofs and programs: true claims proven, false ones refuted, and programs that are right on hidden inputs.

A claim has up to some attempts, a program has one. A claim counts as proven where the engine's outcome is `answered`
with the answer `proven`; a true one must also have steps that prove it, by `tuili.tasks.score`. What the judge of
proofs accepts is left to `proofs`, what the judge of programs accepts to `programs`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import Figure
from benchmarks.harness.shares import asked_side_by_side, share
from tuili.engine import Answer, Budget, Outcome, Request, load_engine
from tuili.model import LoadedModel, load_model
from tuili.steps import render_response
from tuili.store import model_hash, shipped_names
from tuili.tasks import Problem, Split, score, unseen_problems

PROOFS, PROGRAMS = "proofs", "programming"
PROVEN = frozenset({"proven", "得证"})
"""The answer to a claim that is proven, in each language."""
ATTEMPT_TOKENS = 400
"""Of each attempt at a claim."""
SPARE = 20
"""Half of the claims are true: twice as many as are wanted, and these, mostly hold enough of both kinds."""


class Settled(NamedTuple):
    """What came of one problem.

    true: whether its claim is. answered: whether nothing was wrong with the answer. proven: whether the answer says so.
    right: whether it is right as a whole.
    """

    true: bool
    answered: bool
    proven: bool
    right: bool


def measure(
    model: str = "nano",
    claims: int = 200,
    programs: int = 200,
    attempts: int = 4,
    levels: tuple[int, ...] = (1, 2),
    languages: tuple[str, ...] = ("en", "zh"),
    wording: str = "seen",
    seed: int = 0,
) -> Measured:
    """Shares of true claims proven and of programs right, by level and language, and what came of false claims."""
    loaded = load_model(model)
    settings = {PROOFS: (claims, attempts), PROGRAMS: (programs, 1)}
    groups = [(level, language) for level in sorted(levels, reverse=True) for language in languages]
    jobs = {
        f"{domain}_{language}_level{level}": partial(settle, domain, language, level, count, most, wording, seed)
        for domain, (count, most) in settings.items()
        for level, language in groups
    }
    results: dict[str, list[Settled]] = asked_side_by_side(loaded, jobs)
    figures: dict[str, Figure] = {}
    for level in sorted(levels):
        both: dict[str, list[Settled]] = {domain: [] for domain in settings}
        for language in languages:
            for domain in settings:
                some = results[f"{domain}_{language}_level{level}"]
                figures |= of_group(domain, f"{language}_level{level}", some)
                both[domain] += some
        for domain, some in both.items():
            figures |= of_group(domain, f"level{level}", some)
    figures |= of_false([one for name, some in results.items() if name.startswith(PROOFS) for one in some])
    return {
        "model": model if model in shipped_names() else "given",
        "model_hash": model_hash(loaded.path),
        "claims": {"true": claims, "false": claims, "attempts": attempts, "max_tokens": attempts * ATTEMPT_TOKENS},
        "programs": programs,
        "problems": {"split": str(Split.TEST), "seed": seed, "levels": list(levels), "wording": wording},
        "counted": "claims of each truth, and programs, of each level and language",
        "goal": "true claims proven >= 0.90 at level 1 and 0.75 at level 2; false_proven = 0; "
        "programs right >= 0.85 at level 1 and 0.65 at level 2",
    }, figures


def settle(
    domain: str,
    language: str,
    level: int,
    count: int,
    attempts: int,
    wording: str,
    seed: int,
    loaded: LoadedModel,
    progress: Callable[[int, int], None],
) -> list[Settled]:
    """Ask problems of one domain and level in one language: so many programs, or claims of each truth."""
    if domain == PROGRAMS:
        problems = unseen_problems((domain,), (level,), count, seed, wording=wording, language=language)
    else:
        problems = claims_of_each_truth(language, level, count, wording, seed)
    engine = load_engine(loaded, waiting=sys.maxsize, threads=torch.get_num_threads())
    budget = Budget(max_steps=attempts, max_tokens=attempts * ATTEMPT_TOKENS)
    answers = engine.answer([Request(problem.prompt, budget) for problem in problems])
    progress(len(problems), len(problems))
    return [outcome(problem, answer) for problem, answer in zip(problems, answers, strict=True)]


def claims_of_each_truth(language: str, level: int, count: int, wording: str, seed: int) -> list[Problem]:
    """So many problems with a true claim, then as many with a false one."""
    drawn = 2 * count + SPARE
    while True:
        problems = unseen_problems((PROOFS,), (level,), drawn, seed, wording=wording, language=language)
        true, false = ([one for one in problems if is_true(one) is truth][:count] for truth in (True, False))
        if len(true) == len(false) == count:
            return true + false
        drawn *= 2


def is_true(problem: Problem) -> bool:
    """Whether the claim of a problem is."""
    return problem.answer in PROVEN


def outcome(problem: Problem, answer: Answer) -> Settled:
    """What came of a problem."""
    response = render_response([step.text for step in answer.steps], answer.answer)
    answered = answer.receipt.outcome is Outcome.ANSWERED
    proven = answer.answer.strip().rstrip(".").lower() in PROVEN
    return Settled(is_true(problem), answered, proven, score(problem, response) == 1.0)


def of_group(domain: str, group: str, some: Sequence[Settled]) -> dict[str, Figure]:
    """The figures of one domain at one level."""
    if domain == PROGRAMS:
        return share(f"programs_{group}", [one.right for one in some], "right")
    proven = [one.answered and one.proven and one.right for one in some if one.true]
    refuted = [one.right for one in some if not one.true]
    return share(f"true_{group}", proven, "proven") | share(f"false_{group}", refuted, "refuted")


def of_false(some: Sequence[Settled]) -> dict[str, Figure]:
    """How many false claims there were, how many were said to be proven, with and without a shortcoming, or refuted."""
    false = [one for one in some if not one.true]
    counts = {
        "claims": len(false),
        "proven": sum(one.answered and one.proven for one in false),
        "written_proven": sum(one.proven for one in false),
        "refuted": sum(one.right for one in false),
    }
    return {f"false_{name}": Figure("claims", [count]) for name, count in counts.items()}


if __name__ == "__main__":
    run("proving", measure)
