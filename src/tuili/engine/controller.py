"""The control loop of one request: try, check, and while the budget lasts put right what the checker found.

Each attempt is a row for the scheduler. The next one is told what was wrong: it goes on behind the steps that hold,
with the wrong one put right where the checker knows how, at full depth where the budget allows it. Where nothing is
wrong but the answer is not sure enough, further attempts are drawn at random and vote, weighted by their confidence.
What a row may take is left to the scheduler, what an answer says to `answer`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from math import inf

import torch
from transformers import PreTrainedTokenizerFast

from tuili.data.tokenizer import encode_text
from tuili.engine.answer import Answer, Outcome, Receipt, by_verdict, count_tokens, in_milliseconds, want
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.row import Limits, Row, Stop
from tuili.engine.written import CheckedStep, Written, read_back
from tuili.steps import Context, Status, check_chain
from tuili.steps.response import THINK

AGAIN = 0.8
"""Temperature of an attempt that is to differ from the ones before."""
DOUBTED = 0.1
"""Weight in the vote of an answer with a wrong step."""


@dataclass(frozen=True)
class Judge:
    """What a model's answers are held against.

    context: tokens that it holds. threshold: probability at which a token leaves early. confident: whether the verifier
    head is trained. sure: the confidence that an answer needs, None where any will do.
    """

    tokenizer: PreTrainedTokenizerFast
    exits: Sequence[int]
    context: int
    threshold: float
    confident: bool = False
    sure: float | None = None


@dataclass(frozen=True)
class Attempt:
    """One row that has ended, and what it says behind the steps that it was given."""

    row: Row
    written: Written
    confidence: float | None
    lacks: str

    @property
    def weight(self) -> float:
        """How much it counts in a vote."""
        if not self.written.complete:
            return 0.0
        return (1.0 if self.confidence is None else self.confidence) * (DOUBTED if self.lacks else 1.0)


def pursue(request: Request, judge: Judge, prompt: list[int], deadline: float | None) -> Generator[Row, bool, Answer]:
    """Yields one row after the other, and is to be sent whether the request was cancelled when one has ended; returns
    the answer.

    `prompt` has the ids of the request's prompt, `deadline` is a time of the scheduler's clock.
    """
    tried: list[Attempt] = []
    given: tuple[CheckedStep, ...] = ()
    sampling, depth, threshold = request.sampling, request.depth, judge.threshold
    cancelled = False
    while len(tried) < request.budget.max_steps:
        limits = _left(request.budget, tried, deadline)
        if tried and (limits.tokens < 1 or (limits.layer_steps is not None and limits.layer_steps < judge.exits[0])):
            break
        ids = prompt + _opened(judge.tokenizer, given)
        if len(ids) >= judge.context:
            break
        row = Row(
            ids,
            limits,
            sampling,
            depth,
            threshold,
            request.priority,
            tuple(step.text for step in given),
        )
        cancelled = yield row
        attempt = _judged(row, given, request.context, judge)
        tried.append(attempt)
        if cancelled or not attempt.lacks or row.stop is Stop.DEADLINE:
            break
        given, differs = _next_start(attempt, tried, request.context)
        depth, threshold = "auto", inf  # the full depth, as far as the limits allow it
        if differs:
            seed = request.sampling.seed + len(tried)
            heat = max(AGAIN, request.sampling.temperature)
            sampling = Sampling(temperature=heat, seed=seed % 2**63, stop=request.sampling.stop)
        else:
            sampling = request.sampling
    return _concluded(request, prompt, tried, cancelled)


def _left(budget: Budget, tried: Sequence[Attempt], deadline: float | None) -> Limits:
    """What the attempts so far have left of a budget."""
    tokens = budget.max_tokens - sum(len(attempt.row.tokens) for attempt in tried)
    layers = budget.max_layer_steps
    if layers is not None:
        layers -= sum(attempt.row.layer_steps for attempt in tried)
    return Limits(tokens, layers, deadline)


def _opened(tokenizer: PreTrainedTokenizerFast, given: Sequence[CheckedStep]) -> list[int]:
    """The ids of the beginning of a response that has these steps already."""
    if not given:
        return []
    lines = "".join(f"\n{step.text}" for step in given)
    opening = tokenizer.convert_tokens_to_ids(THINK)
    assert isinstance(opening, int)
    return [opening, *encode_text(tokenizer, f"{lines}\n")]


def _judged(row: Row, given: tuple[CheckedStep, ...], context: Context, judge: Judge) -> Attempt:
    """A row that has ended, checked."""
    cut = row.stop not in (Stop.END, Stop.STOP)
    written = read_back(judge.tokenizer, row.tokens, row.depths, context, given, row.sampling.stop, cut)
    confidence = float(torch.tensor(row.validity[-1]).sigmoid()) if judge.confident and row.validity else None
    lacks = want(written, str(row.stop))
    if not lacks and judge.sure is not None and (confidence is None or confidence < judge.sure):
        lacks = f"its confidence is {confidence or 0:.3f}, and {judge.sure:.3f} is needed"
    return Attempt(row, written, confidence, lacks)


def _next_start(attempt: Attempt, tried: Sequence[Attempt], context: Context) -> tuple[tuple[CheckedStep, ...], bool]:
    """The steps to go on from after an attempt that was not taken, and whether it is to be drawn at random."""
    steps = attempt.written.steps
    wrong = next((place for place, step in enumerate(steps) if step.verdict.status is Status.INVALID), None)
    if wrong is None:
        return (), True
    right = put_right(steps[wrong], steps[:wrong], context)
    kept = steps[:wrong] + ((right,) if right else ())
    been_there = any(kept == other.written.steps[: len(kept)] and other is not attempt for other in tried)
    return kept, right is None or been_there


def put_right(step: CheckedStep, before: Sequence[CheckedStep], context: Context) -> CheckedStep | None:
    """A wrong step with the value or conclusion that the checker expects, where that makes it valid."""
    if step.verdict.expected is None:
        return None
    for sign in ("=>", "="):
        left, found, _ = step.text.rpartition(sign)
        if not found or left.strip() == step.verdict.expected:
            continue  # that a thing is itself says nothing
        line = f"{left.rstrip()} {sign} {step.verdict.expected}"
        verdict = check_chain([*(other.text for other in before), line], context)[-1]
        if verdict.status is Status.VALID:
            return CheckedStep(line, verdict, 0.0, ((line, 0),))
    return None


def _concluded(request: Request, prompt: list[int], tried: Sequence[Attempt], cancelled: bool) -> Answer:
    """The answer that the attempts come to."""
    votes: defaultdict[str, float] = defaultdict(float)
    for attempt in tried:
        votes[attempt.written.answer] += attempt.weight
    best = max(tried, key=lambda attempt: (not attempt.lacks, votes[attempt.written.answer], attempt.weight))
    rows = [attempt.row for attempt in tried]
    depths = [depth for row in rows for depth in row.depths]
    seconds = {part: sum(row.seconds[part] for row in rows) for part in ("queue", "prefill", "decode")}
    total = (rows[-1].ended or 0.0) - rows[0].submitted
    outcome = Outcome.CANCELLED if cancelled else _outcome(request.budget, best)
    return Answer(
        prompt=request.prompt,
        answer=best.written.answer if outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT) else "",
        steps=best.written.steps,
        receipt=Receipt(
            attempts=len(tried),
            milliseconds=in_milliseconds({"total": total, **seconds}),
            tokens=count_tokens(prompt, len(depths), best.written),
            mean_depth=sum(depths) / len(depths) if depths else 0.0,
            layer_steps=sum(row.layer_steps for row in rows),
            stop=str(best.row.stop),
            checked=by_verdict(best.written),
            outcome=outcome,
            reason=best.lacks,
            confidence=best.confidence,
        ),
    )


def _outcome(budget: Budget, best: Attempt) -> Outcome:
    if not best.lacks:
        return Outcome.ANSWERED
    return Outcome.ABSTAINED if budget.error_tolerance is not None or not best.written.complete else Outcome.BEST_EFFORT
