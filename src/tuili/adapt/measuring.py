"""Measuring a model on the questions of a part, asked as a server asks them, within a budget.

What the figures mean before and after is left to `report`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from tuili.adapt.stages import TIMING
from tuili.data import Record
from tuili.engine import Answer, Budget, Engine, NotPromised, Request, Ticket, is_promised, load_engine
from tuili.eval import ALIKE, Comparison, likeness, wilson_interval
from tuili.store import model_hash, open_model
from tuili.tasks import same_last_number

SLOTS = 16
"""Questions that are answered together."""
MAX_TOKENS = 300
"""Tokens that an answer may take."""
Tell = Callable[[int, int], None]


def measure(model: Path, records: Sequence[Record], taught: Iterable[str], tell: Tell) -> dict[str, Any]:
    """What one attempt at each question comes to.

    taught: the questions that are learnt. The accuracy on those that are like none of them is told, too, and that of a
    lenient score, for which the last number of an answer is enough. Every answer is kept, with the model's confidence.
    """
    comparison = _comparison(model)
    engine = load_engine(model, slots=SLOTS, waiting=len(records) + 1)
    budget, begun = Budget(max_tokens=MAX_TOKENS), time.perf_counter()
    answers = ask(engine, [Request(one.input, budget) for one in records], tell)
    seconds = time.perf_counter() - begun
    rows: list[dict[str, Any]] = [
        {
            "id": record.id,
            "question": record.input,
            "expected": record.output,
            "steps": [[step.text, str(step.verdict.status)] for step in answer.steps],
            "answer": answer.answer,
            "right": (right := _is_right(comparison, record, answer)),
            "nearly_right": right or same_last_number(record.output, answer.answer),
            "level": record.level,
            "layers": answer.receipt.mean_depth,
            "confidence": answer.receipt.confidence,
            "likeness": alike,
        }
        for record, answer, alike in zip(
            records, answers, likeness([one.input for one in records], taught), strict=True
        )
    ]
    verdicts = Counter(status for row in rows for _, status in row["steps"])
    return {
        "model": model_hash(model),
        "runtime": answers[0].receipt.runtime,
        **_accuracy([row["right"] for row in rows]),
        "unlike": _accuracy([row["right"] for row in rows if row["likeness"] < ALIKE]),
        "lenient": _accuracy([row["nearly_right"] for row in rows]),
        "compared": str(comparison),
        TIMING: {"seconds": seconds, "seconds_per_answer": seconds / len(rows)},
        "tokens_per_answer": fmean(answer.receipt.tokens["generated"] for answer in answers),
        "layers_per_token": fmean(answer.receipt.mean_depth for answer in answers),
        "layers": max(engine.exits),
        "steps": dict(verdicts),
        "written_by": dict(sum((Counter(answer.receipt.written_by) for answer in answers), Counter())),
        "calculator": engine.calculator,
        "rows": rows,
    }


def measure_attempts(model: Path, records: Sequence[Record], attempts: int, tell: Tell) -> dict[str, Any]:
    """The accuracy where a request has room for so many attempts: a further one follows a step that is wrong."""
    comparison, engine = _comparison(model), load_engine(model, slots=SLOTS, waiting=len(records) + 1)
    budget = Budget(max_tokens=attempts * MAX_TOKENS, max_steps=attempts)
    answers = ask(engine, [Request(one.input, budget) for one in records], tell)
    pairs = zip(records, answers, strict=True)
    right = [_is_right(comparison, record, answer) for record, answer in pairs]
    return {"attempts": attempts, "made": sum(answer.receipt.attempts for answer in answers)} | _accuracy(right)


def measure_promises(
    model: Path, records: Sequence[Record], tolerances: Sequence[float], attempts: int, tell: Tell
) -> list[dict[str, Any]]:
    """For each error tolerance how many questions are answered within it, and how many of these answers are wrong.

    Those are not answered that the model is not sure enough of, and those to which nothing is promised, for example
    because they are longer than all that calibrated: these are told as `refused`, by reason.
    """
    comparison, measured = _comparison(model), list[dict[str, Any]]()
    engine = load_engine(model, slots=SLOTS, waiting=len(records) + 1)
    for tolerance in tolerances:
        budget = Budget(max_tokens=MAX_TOKENS, max_steps=attempts, error_tolerance=tolerance)
        tickets, refused = list[tuple[Record, Ticket]](), Counter[str]()
        for record in records:
            try:
                tickets.append((record, engine.admit(Request(record.input, budget))))
            except NotPromised as error:
                refused[str(error)] += 1
        _wait(engine, len(tickets), tell)
        given = [
            _is_right(comparison, record, ticket.answer)
            for record, ticket in tickets
            if ticket.answer is not None and is_promised(ticket.answer)
        ]
        measured.append(
            {
                "tolerance": tolerance,
                "questions": len(records),
                "answered": len(given),
                "wrong": len(given) - sum(given),
                "refused": dict(refused),
            }
        )
    return measured


def ask(engine: Engine, requests: Sequence[Request], tell: Tell = lambda *_: None) -> list[Answer]:
    """Answer requests together. Raises what `Engine.admit` raises."""
    tickets = [engine.admit(request) for request in requests]
    _wait(engine, len(tickets), tell)
    return [ticket.answer for ticket in tickets if ticket.answer is not None]


def _wait(engine: Engine, count: int, tell: Tell) -> None:
    """Go on until all of so many requests are answered."""
    ended = 0
    while engine.busy:
        if answered := len(engine.step()):
            ended += answered
            tell(ended, count)


def risk_over_coverage(rows: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """The share of questions that are answered with at least some confidence, and the share of these answers that are
    wrong, at every confidence that there is; nothing where the model tells none."""
    told = sorted((row for row in rows if row["confidence"] is not None), key=lambda row: -row["confidence"])
    points, wrong = list[tuple[float, float]](), 0
    for count, row in enumerate(told, start=1):
        wrong += not row["right"]
        if count == len(told) or told[count]["confidence"] < row["confidence"]:
            points.append((count / len(rows), wrong / count))
    return points


def _comparison(model: Path) -> Comparison:
    stored = open_model(model)
    return Comparison.of_model(stored.path, stored.tokenizer)


def _is_right(comparison: Comparison, record: Record, answer: Answer) -> bool:
    return comparison.is_right(record.output, answer.answer, record.program_specification)


def _accuracy(right: Sequence[bool]) -> dict[str, Any]:
    count = sum(right)
    return {
        "questions": len(right),
        "right": count,
        "accuracy": count / len(right) if right else None,
        "ci95": list(wilson_interval(count, len(right))),
    }
