"""Does the model know what it does not know? Own prompts in new words against texts that no domain makes.

Each prompt gets its p-value. Then own prompts of the test split and foreign ones are asked with an error tolerance, and
each ends refused, abstained or promised. The stream of the goal has one foreign prompt in twenty: its share of wrong
answers under a promise is worked out from the two. Apart from them, own problems are asked from which a fact was taken
away. Neither the model nor its calibration has seen a foreign text. The way in which familiarity is told was chosen
among ways that were tried on texts of some kinds, so those of the kinds that are `UNTOUCHED` are also told apart.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks.harness.command import Measured, run
from benchmarks.harness.foreign import UNTOUCHED, foreign_texts
from benchmarks.harness.record import ROOT, Figure
from benchmarks.harness.texts import GSM8K, gsm8k_records, own_domains
from tuili.engine import Answer, Budget, Engine, Familiar, NotPromised, Outcome, Request, is_promised, load_engine
from tuili.errors import PromptTooLong
from tuili.eval import LabelledPrompt
from tuili.store import model_hash, resolve_model
from tuili.tasks import Ingredient, Language, Problem, Wording, converse, same_last_number, unseen_problems

FOREIGN_SHARE = 1 / 20
FACT = re.compile(r"[^.\n。]*\d[^.\n。]*[.\n。]")
"""A sentence or a line with a number."""
ENDS = ("promised", "abstained", "refused")
"""How a request for a promise ends."""


def measure(
    model: str = "nano",
    levels: tuple[int, ...] = (1, 2, 3),
    per_cell: int = 20,
    foreign: int = 300,
    untouched: int = 1000,
    tolerances: tuple[float, ...] = (0.02, 0.05, 0.1),
    max_steps: int = 4,
    seed: int = 13,
    folder: str = str(ROOT / "runs" / "foreign"),
) -> Measured:
    """Shares of false refusals and of passed foreign prompts, AUROC, and how requests for a promise end."""
    engine = load_engine(model)
    own = {
        wording: [
            problem
            for language in Language
            for problem in unseen_problems(
                own_domains(model), levels, per_cell, seed, wording=wording, language=language
            )
        ]
        for wording in (Wording.SEEN, Wording.UNSEEN)
    }
    texts = foreign_texts(foreign, untouched, Path(folder))
    figures, level = told_apart(engine, own, texts)
    answers = {record.input: record.output for record in gsm8k_records(GSM8K)}
    strangers = [(text, answers.get(text, "")) for kind in texts.values() for text in kind]
    reduced = [prompt for one in own[Wording.SEEN] if (prompt := without_a_fact(one))]
    for tolerance in tolerances:
        budget = Budget(error_tolerance=tolerance, max_steps=max_steps)
        ends = promised(engine, own[Wording.SEEN], strangers, reduced, budget)
        figures |= {f"error{tolerance:g}_{name}": (value, "share") for name, value in ends.items()}
    return {
        "model": model,
        "model_hash": model_hash(resolve_model(model)),
        "level": level,
        "own": {str(wording): len(problems) for wording, problems in own.items()},
        "foreign": {kind: len(found) for kind, found in texts.items()},
        "untouched": sum(len(texts.get(kind, ())) for kind in UNTOUCHED),
        "reduced": len(reduced),
        "max_steps": max_steps,
        "foreign_share": FOREIGN_SHARE,
        "goal": "auroc_unseen >= 0.99, refused_unseen <= 0.02, wrong_of_promised <= error, foreign_promised <= 0.01",
    }, {name: Figure(unit, [value]) for name, (value, unit) in figures.items()}


def told_apart(
    engine: Engine, own: dict[Wording, list[Problem]], texts: dict[str, list[str]]
) -> tuple[dict[str, tuple[float, str]], float]:
    """How well p-values tell own prompts from foreign ones, and what telling one costs; and the level."""
    begun = time.process_time()
    mine = {wording: [familiar(engine, one.prompt) for one in problems] for wording, problems in own.items()}
    theirs = {kind: [familiar(engine, text) for text in found] for kind, found in texts.items()}
    everything = [one for found in theirs.values() for one in found]
    theirs["untouched"] = [one for kind in UNTOUCHED for one in theirs.get(kind, ())]
    figures = {f"auroc_{wording}": (auroc(found, everything), "share") for wording, found in mine.items()}
    figures |= {f"refused_{wording}": (refused(found), "share") for wording, found in mine.items()}
    for wording, problems in own.items():
        told = [familiar(engine, one.prompt, one.earlier) for one in map(behind_instructions, problems)]
        figures[f"refused_{wording}_behind_instructions"] = refused(told), "share"
    figures["passed_foreign"] = 1 - refused(everything), "share"
    figures |= {f"auroc_unseen_{kind}": (auroc(mine[Wording.UNSEEN], found), "share") for kind, found in theirs.items()}
    figures |= {f"passed_{kind}": (1 - refused(found), "share") for kind, found in theirs.items()}
    count = len(everything) + sum(map(len, mine.values()))
    figures["prepare_ms"] = 1e3 * (time.process_time() - begun) / count, "ms"
    ids = [engine.prepare(Request(one.prompt)).ids for one in own[Wording.SEEN][:500]]
    begun = time.process_time()
    for prompt in ids:
        engine.promises.familiar(prompt)
    figures["familiarity_ms"] = 1e3 * (time.process_time() - begun) / len(ids), "ms"
    return figures, mine[Wording.SEEN][0].level


def behind_instructions(problem: Problem) -> Problem:
    """A problem behind a system message that no training uses."""
    return converse(problem, random.Random(problem.id), held_out=True, ingredients=[Ingredient.SYSTEM]).asked


def familiar(engine: Engine, prompt: str, earlier: tuple[tuple[str, str], ...] = ()) -> Familiar:
    """How familiar a prompt is; one that is too long for the model is not at all."""
    try:
        told = engine.prepare(Request(prompt, earlier=earlier)).familiar
    except PromptTooLong:
        return Familiar(0.0, 1.0)
    assert told is not None, "the model has no file that tells familiarity"
    return told


def refused(found: Sequence[Familiar]) -> float:
    """The share that is unfamiliar."""
    return fmean(not one.enough for one in found)


def auroc(mine: Sequence[Familiar], theirs: Sequence[Familiar]) -> float:
    """The probability that an own prompt has a higher p-value than a foreign one; ties count half."""
    p_N, q_N = np.array([one.p for one in mine]), np.sort([one.p for one in theirs])
    below_N, up_to_N = (np.searchsorted(q_N, p_N, side) for side in ("left", "right"))
    return float((below_N + up_to_N).mean() / 2 / len(q_N))


def promised(
    engine: Engine,
    own: Sequence[Problem],
    strangers: Sequence[tuple[str, str]],
    reduced: Sequence[str],
    budget: Budget,
) -> dict[str, float]:
    """How own problems, foreign texts with their right answers, if any, and own prompts without a fact end where a
    promise is asked for.
    """
    ends: dict[str, list[str]] = {
        "own": [],
        "foreign": [],
        "reduced": [ending(engine, text, budget)[0] for text in reduced],
    }
    wrong = {"own": 0, "foreign": 0}
    for problem in own:
        end, answer = ending(engine, problem.prompt, budget)
        ends["own"].append(end)
        wrong["own"] += answer is not None and not is_right(problem, answer)
    for text, right in strangers:
        end, answer = ending(engine, text, budget)
        ends["foreign"].append(end)
        wrong["foreign"] += answer is not None and not (right and same_last_number(right, answer.answer))
    figures = {
        f"{whose}_{end}": Counter(found)[end] / len(found) for whose, found in ends.items() if found for end in ENDS
    }
    share = {"own": 1 - FOREIGN_SHARE, "foreign": FOREIGN_SHARE}
    wrong_of_stream = sum(share[whose] * wrong[whose] / len(ends[whose]) for whose in share)
    given_of_stream = sum(share[whose] * figures[f"{whose}_promised"] for whose in share)
    own_given = Counter(ends["own"])["promised"]
    return figures | {
        "wrong_of_promised": wrong_of_stream / given_of_stream if given_of_stream else 0.0,
        "wrong_of_own_promised": wrong["own"] / own_given if own_given else 0.0,
    }


def is_right(problem: Problem, answer: Answer) -> bool:
    """Whether an answer is right, as calibration decides it: where the problem has a claim, by its steps."""
    steps = [step.text for step in answer.steps]
    return LabelledPrompt.of(problem).is_answered_by(steps, answer.answer, problem.context)


def ending(engine: Engine, prompt: str, budget: Budget) -> tuple[str, Answer | None]:
    """How a request for a promise ends, and the promised answer. No alarm helps: each begins anew."""
    if engine.promises.alarms is not None:
        engine.promises.alarms.reset()
    try:
        (answer,) = engine.answer([Request(prompt, budget)])
    except (NotPromised, PromptTooLong):
        return "refused", None
    if is_promised(answer):
        return "promised", answer
    assert answer.receipt.outcome is Outcome.ABSTAINED, answer.receipt
    return "abstained", None


def without_a_fact(problem: Problem) -> str:
    """The prompt without one of its sentences or lines with a number; empty where it has fewer than two."""
    facts = list(FACT.finditer(problem.prompt))
    if len(facts) < 2:
        return ""
    gone = random.Random(problem.id).choice(facts)
    return (problem.prompt[: gone.start()] + problem.prompt[gone.end() :]).strip()


if __name__ == "__main__":
    run("familiarity", measure)
