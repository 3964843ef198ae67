"""Does the model know what it does not know? Own prompts in new words against texts that no domain makes.

Each prompt gets its p-value. Then own prompts of the test split and foreign ones are asked with an error tolerance, and
each ends refused, abstained or promised. The stream of the goal has one foreign prompt in twenty: its share of wrong
answers under a promise is worked out from the two. Apart from them, own problems are asked from which a fact was taken
away. Nothing of the model, of its familiarity or of its calibration was tuned on the foreign texts.
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
from benchmarks.harness.foreign import foreign_texts
from benchmarks.harness.record import ROOT, Figure
from benchmarks.harness.texts import GSM8K, gsm8k_records, own_domains
from tuili.engine import Budget, Engine, Familiar, NotPromised, Outcome, Request, is_promised, load_engine
from tuili.errors import PromptTooLong
from tuili.store import model_hash, resolve_model
from tuili.tasks import Language, Problem, Wording, same_last_number, score, unseen_problems

FOREIGN_SHARE = 1 / 20
FACT = re.compile(r"[^.\n。]*\d[^.\n。]*[.\n。]")
"""A sentence or a line with a number."""


def measure(
    model: str = "nano",
    levels: tuple[int, ...] = (1, 2, 3),
    per_cell: int = 20,
    foreign: int = 300,
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
    texts = foreign_texts(foreign, Path(folder))
    figures, level = told_apart(engine, own, texts)
    answers = {record.input: record.output for record in gsm8k_records(GSM8K)}
    strangers = [(text, answers.get(text, "")) for kind in texts.values() for text in kind]
    for tolerance in tolerances:
        figures |= promised(engine, own[Wording.SEEN], strangers, tolerance, max_steps)
    return {
        "model": model,
        "model_hash": model_hash(resolve_model(model)),
        "level": level,
        "own": {str(wording): len(problems) for wording, problems in own.items()},
        "foreign": {kind: len(found) for kind, found in texts.items()},
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
    figures = {f"auroc_{wording}": (auroc(found, everything), "share") for wording, found in mine.items()}
    figures |= {f"refused_{wording}": (refused(found), "share") for wording, found in mine.items()}
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
    return figures, everything[0].level


def familiar(engine: Engine, prompt: str) -> Familiar:
    """How familiar a prompt is; one that is too long for the model is not at all."""
    try:
        told = engine.prepare(Request(prompt)).familiar
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
    engine: Engine, own: Sequence[Problem], strangers: Sequence[tuple[str, str]], tolerance: float, max_steps: int
) -> dict[str, tuple[float, str]]:
    """How own prompts, foreign ones and own ones without a fact end where a promise is asked for."""
    budget = Budget(error_tolerance=tolerance, max_steps=max_steps)
    mine = [ending(engine, one.prompt, budget) for one in own]
    wrong = [end == "promised" and not score(one, text) for one, (end, text) in zip(own, mine, strict=True)]
    foreign = [ending(engine, text, budget) for text, _ in strangers]
    foreign_wrong = [
        end == "promised" and not (answer and same_last_number(answer, text))
        for (_, answer), (end, text) in zip(strangers, foreign, strict=True)
    ]
    reduced = [prompt for one in own if (prompt := without_a_fact(one))]
    ends = {"own": mine, "foreign": foreign, "reduced": [ending(engine, prompt, budget) for prompt in reduced]}
    given = fmean(end == "promised" for end, _ in mine), fmean(end == "promised" for end, _ in foreign)
    both = fmean(wrong), fmean(foreign_wrong)
    of_stream = [(1 - FOREIGN_SHARE) * one + FOREIGN_SHARE * other for one, other in (both, given)]
    figures = {
        f"error{tolerance:g}_wrong_of_promised": (of_stream[0] / of_stream[1] if of_stream[1] else 0.0, "share"),
        f"error{tolerance:g}_wrong_of_own_promised": (both[0] / given[0] if given[0] else 0.0, "share"),
    }
    for whose, found in ends.items():
        counts = Counter(end for end, _ in found)
        for end in ("promised", "abstained", "refused"):
            figures[f"error{tolerance:g}_{whose}_{end}"] = counts[end] / len(found), "share"
    return figures


def ending(engine: Engine, prompt: str, budget: Budget) -> tuple[str, str]:
    """How a request for a promise ends, and the answer that was given. No alarm helps: each begins anew."""
    if engine.promises.alarms is not None:
        engine.promises.alarms.reset()
    try:
        (answer,) = engine.answer([Request(prompt, budget)])
    except (NotPromised, PromptTooLong):
        return "refused", ""
    if is_promised(answer):
        return "promised", answer.answer
    assert answer.receipt.outcome is Outcome.ABSTAINED, answer.receipt
    return "abstained", ""


def without_a_fact(problem: Problem) -> str:
    """The prompt without one of its sentences or lines with a number; empty where it has fewer than two."""
    facts = list(FACT.finditer(problem.prompt))
    if len(facts) < 2:
        return ""
    gone = random.Random(problem.id).choice(facts)
    return (problem.prompt[: gone.start()] + problem.prompt[gone.end() :]).strip()


if __name__ == "__main__":
    run("familiarity", measure)
