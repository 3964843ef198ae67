"""The control loop of one request: try, check, and while the budget lasts put right what the checker found.

Each attempt is a row for the scheduler. The next one is told what was wrong: it goes on behind the steps that hold,
with the wrong one put right where the checker knows how, at full depth where the budget allows it. Where nothing is
wrong but the answer is not sure enough, further attempts are drawn at random and vote, weighted by their confidence.
What a row may take is left to the scheduler, what an answer says to `answer`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from transformers import PreTrainedTokenizerFast

from tuili.data.tokenizer import encode_text
from tuili.engine.answer import Answer, Outcome, Receipt, TokenChance, by_verdict, count_tokens, in_milliseconds, want
from tuili.engine.attempt import Attempt, best_of
from tuili.engine.promises.calibration import Promise
from tuili.engine.promises.confidence import Confidence
from tuili.engine.request import Budget, Request
from tuili.engine.sequence import Limits, Row, Stop
from tuili.engine.written import CheckedStep, read_back
from tuili.steps import THINK, Context, Status, check_chain

AGAIN = 0.8
"""Temperature of an attempt that is to differ from the ones before."""
DOUBT = 0.5
"""A step that the checker cannot decide is doubted where the verifier gives it less than this."""


@dataclass(frozen=True)
class Judge:
    """What a model's answers are held against.

    context: tokens that it holds. threshold: probability at which a token leaves early. verifies: whether it has a
    verifier. confidence: what tells how sure an answer is, None where the model is not calibrated. clock: the engine's.
    """

    tokenizer: PreTrainedTokenizerFast
    exits: Sequence[int]
    context: int
    threshold: float
    verifies: bool = False
    confidence: Confidence | None = None
    clock: Callable[[], float] = time.perf_counter


@dataclass
class Pursuit:
    """A request at work: its prompt's ids, its deadline by the scheduler's clock, what it has led to so far.

    sure: the confidence that an answer needs, None where any will do.
    """

    request: Request
    prompt: list[int]
    deadline: float | None = None
    sure: float | None = None
    promise: Callable[[], Promise] = Promise
    """Tells what is promised at the time of asking."""
    begun: float = 0.0
    """When it was handed in, by the engine's clock."""
    rows: list[Row] = field(default_factory=list)
    tried: list[Attempt] = field(default_factory=list)


def pursue(pursuit: Pursuit, judge: Judge) -> Generator[Row, bool, Answer]:
    """Yields one row after the other, and is to be sent whether the request was cancelled when one has ended; returns
    the answer.
    """
    request, tried = pursuit.request, pursuit.tried
    given: tuple[CheckedStep, ...] = ()
    sampling, depth, threshold = request.sampling, request.depth, judge.threshold
    cancelled = False
    while len(tried) < request.budget.max_steps:
        limits = _left(pursuit)
        if tried and (limits.tokens < 1 or (limits.layer_steps is not None and limits.layer_steps < judge.exits[0])):
            break
        opened = _opened(judge.tokenizer, given)
        if len(pursuit.prompt) + len(opened) >= judge.context:
            break
        lines = tuple(step.text for step in given)
        row = Row(pursuit.prompt + opened, limits, sampling, depth, threshold, request.priority, lines)
        pursuit.rows.append(row)
        cancelled = yield row
        attempt = _judged(row, given, request.context, judge)
        if not (cancelled or attempt.lacks) and (reading := _to_verify(pursuit, judge, [*opened, *row.tokens])):
            pursuit.rows.append(reading)
            cancelled = yield reading
            read = replace(attempt, validity=tuple(reading.validity), believed=tuple(reading.believed))
            attempt = _doubted(read, len(opened))
        tried.append(attempt)
        if cancelled or pursuit.rows[-1].stop is Stop.DEADLINE or _settled(pursuit, judge):
            break
        given, differs = _next_start(attempt, tried, request.context)
        depth, threshold = "auto", inf  # the full depth, as far as the limits allow it
        if differs:
            seed = request.sampling.seed + len(tried)
            heat = max(AGAIN, request.sampling.temperature)
            sampling = request.sampling.model_copy(update={"temperature": heat, "seed": seed % 2**63})
        else:
            sampling = request.sampling
    return _concluded(pursuit, judge, cancelled)


def _left(pursuit: Pursuit) -> Limits:
    """What the rows so far have left of the budget."""
    budget = pursuit.request.budget
    tokens = budget.max_tokens - sum(len(row.tokens) for row in pursuit.rows)
    layers = budget.max_layer_steps
    if layers is not None:
        layers -= sum(row.layer_steps for row in pursuit.rows)
    return Limits(tokens, layers, pursuit.deadline)


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
    return Attempt(row, written, want(written, str(row.stop)))


def _to_verify(pursuit: Pursuit, judge: Judge, response: Sequence[int]) -> Row | None:
    """The row that has the verifier read a response; None without a verifier, where the budget has no room for it, or
    where time is limited and nothing is promised.
    """
    limits, ids = _left(pursuit), [*pursuit.prompt, *response]
    unasked = pursuit.sure is None and pursuit.deadline is not None
    spent = limits.layer_steps is not None and limits.layer_steps < (len(response) + 1) * judge.exits[-1]
    if not judge.verifies or unasked or spent or len(ids) >= judge.context:
        return None
    return Row(ids, limits, priority=pursuit.request.priority, verify_from=len(pursuit.prompt))


def _doubted(attempt: Attempt, opened: int) -> Attempt:
    """An attempt with the verifier's word on the steps that the checker cannot decide."""
    if not attempt.believed:
        return attempt
    steps, lacks = list(attempt.written.steps), attempt.lacks
    for number, step in enumerate(steps):
        if step.verdict.status is Status.VALID or step.last is None:
            continue
        confidence = attempt.believed[opened + step.last]
        steps[number] = replace(step, confidence=confidence)
        if confidence < DOUBT and not lacks:
            lacks = (
                f"step {number + 1} is doubted: the checker cannot decide it, the verifier gives it {confidence:.2f}"
            )
    return replace(attempt, written=replace(attempt.written, steps=tuple(steps)), lacks=lacks)


def _settled(pursuit: Pursuit, judge: Judge) -> bool:
    """Whether an answer stands that needs no further attempt."""
    return not best_of(pursuit.tried).lacks and not _unsure(pursuit, judge)


def _unsure(pursuit: Pursuit, judge: Judge) -> str:
    """What an answer lacks in confidence, empty for nothing."""
    if pursuit.sure is None:
        return ""
    if any(row.hurried for row in pursuit.rows):
        return "time ran short: some tokens went less deep than in calibration"
    if judge.verifies and unread(pursuit.tried):
        return "the verifier could not read all attempts within the budget"
    confidence = _confidence(pursuit.tried, judge) or 0.0
    return "" if confidence >= pursuit.sure else f"its confidence is {confidence:.3f}, and {pursuit.sure:.3f} is needed"


def unread(tried: Sequence[Attempt]) -> bool:
    """Whether there are attempts that the verifier should have read and could not."""
    return any(not (attempt.lacks or attempt.validity) for attempt in tried)


def _confidence(tried: Sequence[Attempt], judge: Judge) -> float | None:
    """How sure the answer is that these attempts come to, None where nothing tells."""
    believed = best_of(tried).believed
    if judge.confidence is not None and (believed or not judge.verifies):
        return judge.confidence.of(tried)
    return believed[-1] if believed else None


def _next_start(attempt: Attempt, tried: Sequence[Attempt], context: Context) -> tuple[tuple[CheckedStep, ...], bool]:
    """The steps to go on from after an attempt that was not taken, and whether it is to be drawn at random."""
    steps = attempt.written.steps
    wrong = next((place for place, step in enumerate(steps) if step.verdict.status is Status.INVALID), None)
    if wrong is None:
        return (), True
    right = put_right(steps[wrong], steps[:wrong], context)
    kept = steps[:wrong] + ((right,) if right else ())
    been_there = any(
        _texts(kept) == _texts(other.written.steps[: len(kept)]) and other is not attempt for other in tried
    )
    return kept, right is None or been_there


def _texts(steps: Sequence[CheckedStep]) -> list[str]:
    return [step.text for step in steps]


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


def _concluded(pursuit: Pursuit, judge: Judge, cancelled: bool) -> Answer:
    """The answer that the attempts come to."""
    best, request = best_of(pursuit.tried), pursuit.request
    lacks = best.lacks or _unsure(pursuit, judge)
    outcome = Outcome.CANCELLED if cancelled else _outcome(request.budget, best, lacks)
    receipt = replace(
        _spent(pursuit, judge, outcome, lacks),
        tokens=_tokens(pursuit, best.written.reasoning, best.written.answering),
        stop=str(best.row.stop),
        checked=by_verdict(best.written),
        confidence=_confidence(pursuit.tried, judge),
        promise=pursuit.promise(),
    )
    text = best.written.answer if outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT) else ""
    chances = _chances(best, judge) if text else ()
    return Answer(request.prompt, text, best.written.steps, receipt, chances)


def _chances(best: Attempt, judge: Judge) -> tuple[TokenChance, ...]:
    """The tokens behind the steps, without the one that ends them, where their chances are known."""
    row, tokenizer = best.row, judge.tokenizer

    def text(token: int) -> str:
        return str(tokenizer.decode([token]))

    start, told, found = best.written.reasoning, "", list[TokenChance]()
    for token, (own, likeliest) in zip(row.tokens[start:], row.logprobs[start:], strict=False):
        told += text(token)
        if token == tokenizer.eos_token_id or any(stop in told for stop in row.sampling.stop):
            break
        found.append(TokenChance(text(token), own, tuple((text(other), chance) for other, chance in likeliest)))
    return tuple(found)


def failed(pursuit: Pursuit, judge: Judge, error: Exception) -> Answer:
    """The end of a request whose attempts an error keeps from being judged."""
    reason = f"an error inside the engine: {error!r}"
    promise = replace(pursuit.promise(), why=reason)
    return Answer(
        pursuit.request.prompt, "", (), replace(_spent(pursuit, judge, Outcome.FAILED, reason), promise=promise)
    )


def _spent(pursuit: Pursuit, judge: Judge, outcome: Outcome, reason: str) -> Receipt:
    """What all rows have cost so far."""
    rows = pursuit.rows
    depths = [depth for row in rows for depth in row.depths]
    seconds = {part: sum(row.seconds[part] for row in rows) for part in ("queue", "prefill", "decode")}
    return Receipt(
        attempts=len(pursuit.tried),
        milliseconds=in_milliseconds({"total": judge.clock() - pursuit.begun, **seconds}),
        tokens=_tokens(pursuit, 0, 0),
        mean_depth=sum(depths) / len(depths) if depths else 0.0,
        layer_steps=sum(row.layer_steps for row in rows),
        stop=str(rows[-1].stop),
        checked={},
        reused=rows[0].reused,
        outcome=outcome,
        reason=reason,
    )


def _tokens(pursuit: Pursuit, reasoning: int, answering: int) -> dict[str, int]:
    return count_tokens(pursuit.prompt, sum(len(row.tokens) for row in pursuit.rows), reasoning, answering)


def _outcome(budget: Budget, best: Attempt, lacks: str) -> Outcome:
    if not lacks:
        return Outcome.ANSWERED
    return Outcome.ABSTAINED if budget.error_tolerance is not None or not best.written.complete else Outcome.BEST_EFFORT
