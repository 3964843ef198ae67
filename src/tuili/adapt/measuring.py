"""Measuring a model on the questions of a part, asked as a server asks them, within a budget.

`report` compares the figures before and after.
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
"""The most tokens of an answer."""
Tell = Callable[[int, int], None]


def measure(model: Path, records: Sequence[Record], taught: Iterable[str], tell: Tell) -> dict[str, Any]:
    """The results of one attempt at each question.

    taught: the questions that are learnt. Also reports the accuracy on questions that are unlike all of these, and the
    accuracy of a lenient score that needs only the last number of an answer. Every answer is included, with the model's
    confidence.
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
    """The accuracy if a request has room for this many attempts: a wrong step leads to another attempt."""
    comparison, engine = _comparison(model), load_engine(model, slots=SLOTS, waiting=len(records) + 1)
    budget = Budget(max_tokens=attempts * MAX_TOKENS, max_steps=attempts)
    answers = ask(engine, [Request(one.input, budget) for one in records], tell)
    pairs = zip(records, answers, strict=True)
    right = [_is_right(comparison, record, answer) for record, answer in pairs]
    return {"attempts": attempts, "made": sum(answer.receipt.attempts for answer in answers)} | _accuracy(right)


def measure_promises(
    model: Path, records: Sequence[Record], tolerances: Sequence[float], attempts: int, tell: Tell
) -> list[dict[str, Any]]:
    """For each error tolerance, how many questions are answered within it, and how many of these answers are wrong.

    Not answered are questions of which the model is not sure enough, and questions for which nothing is promised, for
    example because they are longer than all in the calibration: the latter are counted as `refused`, by reason.
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
    """Run the engine until all requests are answered."""
    ended = 0
    while engine.busy:
        if answered := len(engine.step()):
            ended += answered
            tell(ended, count)


def risk_over_coverage(rows: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """The share of questions that are answered with at least some confidence, and the share of these answers that are
    wrong, for every confidence that occurs; empty if the model reports none."""
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
