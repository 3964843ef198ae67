"""The end of a request: the answer that its attempts come to, and the receipt of what they cost."""

from __future__ import annotations

from dataclasses import replace

from tuili.engine.answer import Answer, AnswerToken, Outcome, Receipt, count_tokens, count_verdicts, to_milliseconds
from tuili.engine.attempt import Attempt, best_of
from tuili.engine.controller import ControlSettings, RequestState, confidence_of, confidence_shortcoming
from tuili.engine.request import Budget
from tuili.store import Tokenizer


def conclude(state: RequestState, settings: ControlSettings, cancelled: bool) -> Answer:
    """The answer that the attempts come to."""
    best, request = best_of(state.attempts), state.request
    promise = state.promise()
    revoked = promise.why if request.budget.error_tolerance is not None else ""
    reason = best.shortcoming or confidence_shortcoming(state, settings) or revoked
    outcome = Outcome.CANCELLED if cancelled else _outcome(request.budget, best, reason)
    receipt = replace(
        _receipt(state, settings, outcome, reason),
        tokens=_tokens(state, best.response.reasoning_tokens, best.response.answer_tokens),
        stop=str(best.sequence.stop),
        checked=count_verdicts(best.response),
        confidence=confidence_of(state.attempts, settings),
        promise=promise,
    )
    text = best.response.answer if outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT) else ""
    logprobs = _logprobs(best, settings.tokenizer) if text else ()
    return Answer(request.prompt, text, best.response.steps, receipt, logprobs)


def failure(state: RequestState, settings: ControlSettings, error: Exception) -> Answer:
    """The answer to a request in which an error came up."""
    reason = f"an error inside the engine: {error!r}"
    receipt = _receipt(state, settings, Outcome.FAILED, reason)
    return Answer(state.request.prompt, "", (), replace(receipt, promise=replace(state.promise(), why=reason)))


def _logprobs(best: Attempt, tokenizer: Tokenizer) -> tuple[AnswerToken, ...]:
    """The tokens behind the steps, up to the one that ends the text, where log-probabilities were asked for."""
    sequence = best.sequence
    start, text, tokens = best.response.reasoning_tokens, "", list[AnswerToken]()
    for token, logprobs in zip(sequence.tokens[start:], sequence.logprobs[start:], strict=False):
        text += tokenizer.decode([token])
        if token == tokenizer.end_id or any(stop in text for stop in sequence.sampling.stop):
            break
        top = tuple((tokenizer.decode([other]), logprob) for other, logprob in logprobs.top)
        tokens.append(AnswerToken(tokenizer.decode([token]), logprobs.chosen, top))
    return tuple(tokens)


def _receipt(state: RequestState, settings: ControlSettings, outcome: Outcome, reason: str) -> Receipt:
    """What all sequences have cost so far."""
    sequences = state.sequences
    depths = [depth for sequence in sequences for depth in sequence.depths]
    seconds = {part: sum(each.seconds[part] for each in sequences) for part in ("queue", "prefill", "decode")}
    return Receipt(
        attempts=len(state.attempts),
        milliseconds=to_milliseconds({"total": settings.clock() - state.received_at, **seconds}),
        tokens=_tokens(state, 0, 0),
        mean_depth=sum(depths) / len(depths) if depths else 0.0,
        layer_steps=sum(sequence.layer_steps for sequence in sequences),
        stop=str(sequences[-1].stop),
        checked={},
        reused=sequences[0].cached_tokens,
        outcome=outcome,
        reason=reason,
    )


def _tokens(state: RequestState, reasoning: int, answer: int) -> dict[str, int]:
    generated = sum(len(sequence.tokens) for sequence in state.sequences)
    return count_tokens(state.prompt, generated, reasoning, answer)


def _outcome(budget: Budget, best: Attempt, reason: str) -> Outcome:
    if not reason:
        return Outcome.ANSWERED
    if budget.error_tolerance is not None or not best.response.complete:
        return Outcome.ABSTAINED
    return Outcome.BEST_EFFORT
