"""The end of a request: the answer chosen from its attempts, and the receipt of what they cost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tuili.engine.answer import (
    Answer,
    AnswerToken,
    Outcome,
    Receipt,
    count_tokens,
    count_untraced,
    count_verdicts,
    count_writers,
    to_milliseconds,
)
from tuili.engine.attempt import Attempt, best_of
from tuili.engine.controller import ControlSettings, RequestState, confidence_of, confidence_shortcoming
from tuili.engine.proof import Proof
from tuili.engine.request import Budget
from tuili.engine.sequence import StopReason, TokenLogprobs
from tuili.store import AnyTokenizer


def conclude(state: RequestState, settings: ControlSettings, cancelled: bool) -> Answer:
    """Choose the answer from the attempts."""
    if not state.attempts:
        return _unwritten(state, settings, cancelled)
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
        written_by=count_writers(best.response),
        untraced=count_untraced(best.response),
        unused=best.response.unused,
        confidence=confidence_of(state, settings),
        promise=promise,
        proof=best.proof,
        trial=best.trial,
    )
    text = best.response.answer if outcome in (Outcome.ANSWERED, Outcome.BEST_EFFORT) else ""
    withheld = cancelled or (outcome is Outcome.ABSTAINED and request.budget.error_tolerance is not None)
    logprobs = (
        None if request.sampling.logprobs is None else () if withheld else _logprobs(best, settings.dialect.tokenizer)
    )
    return Answer(request.prompt, text, best.response.steps, receipt, logprobs, _prompt_logprobs(state, settings))


def _unwritten(state: RequestState, settings: ControlSettings, cancelled: bool) -> Answer:
    """The answer to a request for which nothing was written: none was wanted, or it was cancelled first."""
    outcome = Outcome.CANCELLED if cancelled else Outcome.ABSTAINED
    reason = "" if cancelled else "no answer was asked for"
    receipt = replace(_receipt(state, settings, outcome, reason), promise=state.promise())
    if not cancelled:
        receipt = replace(receipt, stop=str(StopReason.LENGTH))
    return Answer(state.request.prompt, "", (), receipt, None, _prompt_logprobs(state, settings))


def failure(state: RequestState, settings: ControlSettings, error: Exception) -> Answer:
    """The answer to a request that failed with an error."""
    reason = f"an error inside the engine: {error!r}"
    receipt = _receipt(state, settings, Outcome.FAILED, reason)
    return Answer(state.request.prompt, "", (), replace(receipt, promise=replace(state.promise(), why=reason)))


def _logprobs(best: Attempt, tokenizer: AnyTokenizer) -> tuple[AnswerToken, ...]:
    """The tokens that follow the steps, up to the one that ends the text. Without a whole answer, all tokens that
    follow the steps; if there are none, the tokens of the steps.
    """
    sequence, start, end = best.sequence, best.response.reasoning_tokens, len(best.sequence.tokens)
    if best.response.complete:
        text, stops = b"", [stop.encode() for stop in sequence.sampling.stop]
        for place in range(start, end):
            text += tokenizer.token_bytes(sequence.tokens[place])
            if sequence.tokens[place] in tokenizer.end_ids or any(stop in text for stop in stops):
                end = place
                break
    elif start == end:
        start = 0
    return tuple(map(partial(_token, tokenizer), sequence.tokens[start:end], sequence.logprobs[start:end]))


def _prompt_logprobs(state: RequestState, settings: ControlSettings) -> tuple[AnswerToken, ...] | None:
    """The tokens of the prompt, if they have been scored."""
    if state.scored is None or state.scored.stop is not StopReason.READ:
        return None
    scored, tokenizer = state.scored, settings.dialect.tokenizer
    tokens = scored.prompt[state.question]
    unscored = [AnswerToken(tokenizer.token_bytes(token), None, ()) for token in tokens[: -len(scored.logprobs)]]
    return *unscored, *map(partial(_token, tokenizer), tokens[len(unscored) :], scored.logprobs)


def _token(tokenizer: AnyTokenizer, token: int, logprobs: TokenLogprobs) -> AnswerToken:
    top = tuple((tokenizer.token_bytes(other), logprob) for other, logprob in logprobs.top)
    return AnswerToken(tokenizer.token_bytes(token), logprobs.chosen, top)


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
        stop=str(sequences[-1].stop or StopReason.CANCELLED),
        checked={},
        reused=sequences[0].cached_tokens,
        ignored=state.request.ignored,
        outcome=outcome,
        reason=reason,
        runtime=settings.runtime,
        calculator=state.request.calculator or "off",
        read_as=state.request.read_as,
        familiar=state.familiar,
        proof=None if state.claims.claim is None else Proof(state.claims.claim),
    )


def _tokens(state: RequestState, reasoning: int, answer: int) -> dict[str, int]:
    generated = sum(sequence.written for sequence in state.sequences)
    return count_tokens(state.prompt, generated, reasoning, answer)


def _outcome(budget: Budget, best: Attempt, reason: str) -> Outcome:
    if not reason:
        return Outcome.ANSWERED
    withheld = budget.error_tolerance is not None or not best.response.complete
    return Outcome.ABSTAINED if withheld else Outcome.BEST_EFFORT
