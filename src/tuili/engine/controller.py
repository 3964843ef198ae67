"""The control loop of one request: attempt, check and, while the budget lasts, correct what the checker found wrong.

Each attempt is a sequence that the scheduler runs. The next attempt continues from the steps that hold; the first wrong
step is corrected if the checker knows how, and the attempt runs at full depth if the budget allows it. If no step is
wrong but the confidence is too low, further attempts are sampled at random, and all attempts vote, weighted by their
confidence. The scheduler enforces the limits of a sequence; `conclusion` makes the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from math import inf

from tuili.engine.answer import Promise, first_fault
from tuili.engine.attempt import CUT_OFF, Attempt, best_of, verifier_missed_some
from tuili.engine.dialects.dialect import Claims, Dialect
from tuili.engine.promises.confidence import Confidence
from tuili.engine.promises.familiarity import Familiar
from tuili.engine.proof import UNREAD_CLAIM
from tuili.engine.request import Depth, Request, Sampling
from tuili.engine.sequence import Sequence, SequenceLimits, StopReason
from tuili.engine.text.judging import JudgedChain
from tuili.engine.text.value_writer import ValueWriter
from tuili.engine.written import CheckedStep
from tuili.grammars import GrammarCompiler
from tuili.steps import Context, Status, check_chain

RESAMPLING_TEMPERATURE = 0.8
"""Minimum temperature of an attempt that should differ from the previous ones."""
FULL_DEPTH_WITHIN_LIMITS: tuple[Depth, float] = ("auto", inf)
"""Depth and exit threshold of a sequence that exits early only when its limits force it to."""
MIN_STEP_CONFIDENCE = 0.5
"""Minimum verifier probability for a step that the checker cannot decide."""


@dataclass(frozen=True)
class ControlSettings:
    """What the control loop knows about the model.

    dialect: how the model is prompted and read. grammars: compiles the grammars of requests. exits: layers at each
    exit. context: maximum tokens of a sequence. exit_threshold: probability at which a token exits early. verifies:
    whether there is a verifier. confidence: None for a model that is not calibrated. clock: the engine's clock, in
    seconds. runtime: how the model is run. refines_untraced: whether a step that holds but has untraced numbers
    triggers a further attempt.
    """

    dialect: Dialect
    grammars: GrammarCompiler
    exits: tuple[int, ...]
    context: int
    exit_threshold: float
    verifies: bool = False
    confidence: Confidence | None = None
    clock: Callable[[], float] = time.perf_counter
    runtime: str = ""
    refines_untraced: bool = False


@dataclass
class RequestState:
    """A running request: what was asked, and its sequences and attempts so far.

    prompt: token ids. question: the slice of the prompt whose log-probabilities may be requested. claims: what an
    answer has to settle. deadline, received_at: in seconds of the engine's clock. min_confidence: the confidence that
    the answer needs, None if any answer will do. promise: returns what is promised at the time of the call. familiar:
    how familiar the prompt is, None if the model has no measure of it.
    """

    request: Request
    prompt: list[int]
    question: slice
    claims: Claims = field(default_factory=Claims)
    deadline: float | None = None
    min_confidence: float | None = None
    promise: Callable[[], Promise] = Promise
    received_at: float = 0.0
    familiar: Familiar | None = None
    sequences: list[Sequence] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    scored: Sequence | None = None
    """The sequence that scores the prompt's log-probabilities."""
    judged: JudgedChain = field(init=False)
    """The root of everything judged in the request's context."""

    def __post_init__(self) -> None:
        self.judged = JudgedChain(self.request.context, self.request.question, self.request.earlier)


def run_attempts(state: RequestState, settings: ControlSettings) -> Generator[Sequence, bool, bool]:
    """Yield one sequence after another. When it has ended, send back whether the request was cancelled.

    Returns whether the request was cancelled.
    """
    request, attempts = state.request, state.attempts
    prefix: tuple[CheckedStep, ...] = ()
    sampling, depth, exit_threshold = request.sampling, request.depth, settings.exit_threshold
    cancelled = False
    if sampling.prompt_logprobs is not None:
        state.scored = _scored_sequence(state)
        state.sequences.append(state.scored)
        cancelled = yield state.scored
    while not cancelled and request.writes and len(attempts) < request.budget.max_steps:
        limits = _limits_left(state)
        no_layers = limits.layer_steps is not None and limits.layer_steps < settings.exits[0]
        if attempts and (limits.tokens < 1 or no_layers):
            break
        prefix_ids = settings.dialect.prefix_ids(state.prompt, prefix)
        if len(state.prompt) + len(prefix_ids) >= settings.context:
            break
        lines = tuple(step.text for step in prefix)
        prompt = state.prompt + prefix_ids
        grammar = None if request.grammar is None else settings.grammars.compile(request.grammar, prompt)
        sequence = Sequence(prompt, limits, sampling, depth, exit_threshold, request.priority, lines, grammar=grammar)
        sequence.calculator = _value_writer(state, settings, sequence)
        state.sequences.append(sequence)
        cancelled = yield sequence
        attempt = settings.dialect.check(sequence, prefix, state, settings.refines_untraced)
        response = [*prefix_ids, *sequence.tokens]
        if not (cancelled or attempt.shortcoming) and (verified := _verifier_sequence(state, settings, response)):
            state.sequences.append(verified)
            cancelled = yield verified
            logits, probs = tuple(verified.validity_logits), tuple(verified.validity_probs)
            attempt = replace(attempt, validity_logits=logits, validity_probs=probs)
            attempt = with_step_confidences(attempt, len(prefix_ids))
        attempts.append(attempt)
        if cancelled or state.sequences[-1].stop is StopReason.DEADLINE or _settled(state, settings):
            break
        prefix, resample = _next_prefix(attempt, attempts, request.context, settings.refines_untraced)
        depth, exit_threshold = FULL_DEPTH_WITHIN_LIMITS
        sampling = _resampled(state) if resample else request.sampling
    return cancelled


def _value_writer(state: RequestState, settings: ControlSettings, sequence: Sequence) -> ValueWriter | None:
    """The object that writes the checker's values into a response; None if the checker writes none."""
    mode, dialect = state.request.calculator or "off", settings.dialect
    if mode == "off":
        return None
    _, judged = state.judged.judge(sequence.prefix_steps)
    return ValueWriter(mode, dialect.tokenizer, dialect.reader(sequence), judged, decimals=dialect.prose)


def _scored_sequence(state: RequestState) -> Sequence:
    """The sequence that scores the log-probabilities of the requested tokens."""
    request, question = state.request, state.question
    prompt, start = state.prompt[: question.stop], max(1, question.start)
    limits, depth = _limits_left(state), request.depth
    return Sequence(prompt, limits, request.sampling, depth, priority=request.priority, score_from=start)


def _resampled(state: RequestState) -> Sampling:
    """The sampling settings of an attempt that should differ from the previous ones."""
    sampling = state.request.sampling
    temperature = max(RESAMPLING_TEMPERATURE, sampling.temperature)
    seed = (sampling.seed + len(state.attempts)) % 2**63
    return sampling.model_copy(update={"temperature": temperature, "seed": seed})


def _limits_left(state: RequestState) -> SequenceLimits:
    """What the sequences so far have left of the budget."""
    budget = state.request.budget
    tokens = budget.max_tokens - sum(sequence.written for sequence in state.sequences)
    layer_steps = budget.max_layer_steps
    if layer_steps is not None:
        layer_steps -= sum(sequence.layer_steps for sequence in state.sequences)
    return SequenceLimits(tokens, layer_steps, state.deadline)


def _verifier_sequence(state: RequestState, settings: ControlSettings, response: list[int]) -> Sequence | None:
    """The sequence in which the verifier reads a response.

    None if there is no verifier, if the budget has no room for it, or if time is limited and nothing is promised.
    """
    limits, ids = _limits_left(state), [*state.prompt, *response]
    not_needed = state.min_confidence is None and state.deadline is not None
    needed_layers = (len(response) + 1) * settings.exits[-1]
    no_layers = limits.layer_steps is not None and limits.layer_steps < needed_layers
    if not settings.verifies or not_needed or no_layers or len(ids) >= settings.context:
        return None
    return Sequence(ids, limits, priority=state.request.priority, verify_from=len(state.prompt))


def with_step_confidences(attempt: Attempt, prefix_tokens: int) -> Attempt:
    """Add the verifier's probability to each step of an attempt that the checker cannot decide."""
    if not attempt.validity_probs:
        return attempt
    steps, reason = list(attempt.response.steps), attempt.shortcoming
    for number, step in enumerate(steps):
        if step.verdict.status is Status.VALID or step.last_token is None:
            continue
        confidence = attempt.validity_probs[prefix_tokens + step.last_token]
        steps[number] = replace(step, confidence=confidence)
        if confidence < MIN_STEP_CONFIDENCE and not reason:
            reason = (
                f"step {number + 1} is doubted: the checker cannot decide it, the verifier gives it {confidence:.2f}"
            )
    return replace(attempt, response=replace(attempt.response, steps=tuple(steps)), shortcoming=reason)


def _settled(state: RequestState, settings: ControlSettings) -> bool:
    """Whether the current answer would not be changed by a further attempt."""
    reason = best_of(state.attempts).shortcoming
    return reason in (UNREAD_CLAIM, CUT_OFF) or not (reason or confidence_shortcoming(state, settings))


def confidence_shortcoming(state: RequestState, settings: ControlSettings) -> str:
    """Why the confidence in the answer is too low; empty if it is high enough."""
    if state.min_confidence is None:
        return ""
    if any(sequence.depth_limited for sequence in state.sequences):
        return "time ran short: some tokens went less deep than in calibration"
    if settings.verifies and verifier_missed_some(state.attempts):
        return "the verifier could not read all attempts within the budget"
    confidence, needed = confidence_of(state, settings) or 0.0, state.min_confidence
    return "" if confidence >= needed else f"its confidence is {confidence:.3f}, and {needed:.3f} is needed"


def confidence_of(state: RequestState, settings: ControlSettings) -> float | None:
    """The probability that the answer of the attempts so far is right; None if nothing estimates it."""
    probs = best_of(state.attempts).validity_probs
    if settings.confidence is not None and (probs or not settings.verifies):
        return settings.confidence.of(state.attempts, state.familiar)
    return probs[-1] if probs else None


def _next_prefix(
    attempt: Attempt, attempts: list[Attempt], context: Context, refines_untraced: bool
) -> tuple[tuple[CheckedStep, ...], bool]:
    """The steps that the next attempt continues from, and whether it should be sampled at random."""
    steps = attempt.response.steps
    wrong = first_fault(steps, refines_untraced)
    if wrong is None:
        return (), True
    right = correct_step(steps[wrong], steps[:wrong], context)
    prefix = steps[:wrong] + ((right,) if right else ())
    tried_before = any(
        _texts(prefix) == _texts(other.response.steps[: len(prefix)]) and other is not attempt for other in attempts
    )
    return prefix, right is None or tried_before


def _texts(steps: tuple[CheckedStep, ...]) -> list[str]:
    return [step.text for step in steps]


def correct_step(step: CheckedStep, before: tuple[CheckedStep, ...], context: Context) -> CheckedStep | None:
    """Replace a wrong step's value or conclusion by the one that the checker expects; None if that is not valid."""
    if step.verdict.expected is None:
        return None
    for sign in ("=>", "="):
        left, separator, _ = step.text.rpartition(sign)
        if not separator or left.strip() == step.verdict.expected:
            continue  # a line that equates a term with itself says nothing
        line = f"{left.rstrip()} {sign} {step.verdict.expected}"
        verdict = check_chain([*(other.text for other in before), line], context)[-1]
        if verdict.status is Status.VALID:
            return CheckedStep(line, verdict, 0.0, ((line, 0),), written_by="checker")
    return None
