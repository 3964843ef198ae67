"""Calibration: problems with known answers in, what may be promised about a model's answers out.

Every problem gets all the attempts that any class of requests allows, once. What a request of fewer attempts or tokens,
or with another threshold on confidence, would have been answered follows from that exactly, for the engine stops where
it is sure enough and does nothing else differently. A part of the problems fits the confidence, the rest tests the
thresholds. The statistics are left to `engine.guarantee`, the form of the result to `engine.calibration`.

Dimensions: S settings (thresholds), N problems.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tuili.engine import (
    Budget,
    Calibration,
    Confidence,
    Curve,
    Entry,
    Point,
    Request,
    RequestState,
    Sample,
    StopReason,
    best_of,
    calibration_error,
    features,
    fit,
    has_wrong_step,
    load_engine,
    parse_settings,
    verifier_missed_some,
)
from tuili.errors import InputError
from tuili.eval.calibration.guarantee import Certified, Trials, answered_needed, certify, p_value, upper_bound
from tuili.eval.parallel import Measurement, Progress, Told, measure, share_cores
from tuili.model import LoadedModel
from tuili.store import model_hash, verifier_hash
from tuili.tasks import same_answer

NEVER = float("inf")
"""A confidence that no answer has, so that every attempt is made."""
SETTINGS = 100
"""Thresholds on confidence that are tested."""
FITTED = 3
"""One problem of so many fits the confidence; the others test the thresholds."""
LIKELY = 0.95
"""Probability with which the first threshold that is tested should pass."""
WORTH_SHARING = 64
"""Problems that are worth a process of their own."""
RARE = 0.01
"""Probability that the bound on rejected first attempts does not hold."""


@dataclass(frozen=True)
class Case:
    """A prompt with its right answer."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Moment:
    """Where a request stands after an attempt: the tokens written so far, and the features of the answer that it would
    give, None where none could be given; whether that is right.
    """

    tokens: int
    features: tuple[float, ...] | None
    right: bool


@dataclass(frozen=True)
class Trace:
    """One problem: the tokens of its prompt, a moment after each attempt; and whether the checker found a step of the
    first one wrong (None where it was cut).
    """

    prompt: int
    moments: tuple[Moment, ...]
    rejected: bool | None


@dataclass(frozen=True)
class Classes:
    """What is to be calibrated: the error tolerances, and the limits on attempts and tokens that a request may have.

    Raises `InputError` for no value, or one that cannot be.
    """

    tolerances: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1)
    max_steps: tuple[int, ...] = (1, 2, 4)
    max_tokens: tuple[int, ...] = (100, 200, 400)
    delta: float = 0.05

    def __post_init__(self) -> None:
        for name in ("tolerances", "max_steps", "max_tokens"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(f"{name} = {values}: at least one value is needed, and none of them twice")
        for share in (*self.tolerances, self.delta):
            if not 0 < share < 1:
                raise InputError(f"tolerance and delta are shares between 0 and 1 such as 0.05, not {share:g}")
        for most in (max, min):
            parse_settings(Budget, {"max_steps": most(self.max_steps), "max_tokens": most(self.max_tokens)}, str)


def calibrate(
    loaded: LoadedModel, cases: Sequence[Case], source: str, classes: Classes, progress: Progress = lambda *_: None
) -> Calibration:
    """Answer every case and work out what can be promised about requests that come as they did.

    Raises `InputError` where there are too few of them, or the model answers none.
    """
    least = min(answered_needed(tolerance, classes.delta) for tolerance in classes.tolerances)
    if len(cases) * (FITTED - 1) < least * FITTED:
        raise InputError(f"{len(cases)} problems: at least {least * FITTED // (FITTED - 1) + 1} are needed")
    traces = collect(loaded, cases, max(classes.max_steps), max(classes.max_tokens), progress)
    digest = hashlib.sha256("\n".join(f"{case.prompt}\0{case.answer}" for case in cases).encode()).hexdigest()
    return certified(traces, loaded, source, digest, classes)


def collect(
    loaded: LoadedModel, cases: Sequence[Case], max_steps: int, max_tokens: int, progress: Progress
) -> list[Trace]:
    """One trace for each case, in their order; several processes share the cases."""
    sharing = share_cores(loaded, -(-len(cases) // WORTH_SHARING))
    parts = {
        f"problems {start + 1}, {start + 1 + sharing.processes}, …" if sharing.processes > 1 else "problems": partial(
            _collect, cases[start :: sharing.processes], max_steps, max_tokens
        )
        for start in range(sharing.processes)
    }
    wanted: Mapping[str, Measurement] = parts
    found = list(measure(loaded, wanted, progress, sharing).values())
    return [found[place % len(found)][place // len(found)] for place in range(len(cases))]


def _collect(cases: Sequence[Case], max_steps: int, max_tokens: int, loaded: LoadedModel, told: Told) -> list[Trace]:
    engine = load_engine(loaded, slots=32, waiting=len(cases) + 1)
    budget = Budget(max_steps=max_steps, max_tokens=max_tokens)
    tickets = [engine.admit(Request(case.prompt, budget), min_confidence=NEVER) for case in cases]
    answered = 0
    while engine.busy:
        if ended := len(engine.step()):
            answered += ended
            told(answered, len(cases))
    return [trace(ticket.state, case.answer, engine.verifies) for ticket, case in zip(tickets, cases, strict=True)]


def trace(state: RequestState, expected: str, verifies: bool) -> Trace:
    """What a request that made all its attempts would have said after each of them; `verifies`: the verifier should
    have read them.
    """
    moments, first = [], state.attempts[0]
    for count in range(1, len(state.attempts) + 1):
        tried = state.attempts[:count]
        best = best_of(tried)
        moments.append(
            Moment(
                sum(len(attempt.sequence.tokens) for attempt in tried),
                None if best.shortcoming or (verifies and verifier_missed_some(tried)) else features(tried),
                same_answer(expected, best.response.answer),
            )
        )
    return Trace(
        len(state.prompt), tuple(moments), has_wrong_step(first) if first.sequence.stop is StopReason.END else None
    )


def certified(traces: Sequence[Trace], loaded: LoadedModel, source: str, digest: str, classes: Classes) -> Calibration:
    """The calibration that these traces support."""
    fitting, testing = traces[::FITTED], [trace for place, trace in enumerate(traces) if place % FITTED]
    confidence = fit_confidence(fitting)
    threshold_S = thresholds(fitting, confidence)
    entries, curves = [], []
    for steps in sorted(classes.max_steps):
        for tokens in sorted(classes.max_tokens):
            seen = replay(fitting, confidence, threshold_S, steps, tokens)
            trials = replay(testing, confidence, threshold_S, steps, tokens)
            curves.append(_curve(trials, threshold_S, steps, tokens))
            for tolerance in sorted(classes.tolerances):
                start = first_setting(seen, tolerance, classes.delta, len(testing))
                entries.append(_entry(trials, threshold_S, tolerance, classes.delta, start, steps, tokens))
    first_NF, right_N = _labelled(testing, "those that test the thresholds")
    told_N = np.array([confidence.of_features(found) for found in first_NF])
    known = [trace.rejected for trace in testing if trace.rejected is not None]
    return Calibration(
        model=model_hash(loaded.path),
        verifier=verifier_hash(loaded.path),
        exit_threshold=loaded.model.config.exit_threshold,
        delta=classes.delta,
        coefficients=confidence.coefficients,
        constant=confidence.constant,
        rejected=min(0.999, upper_bound(sum(known), len(known), RARE)) if known else 0.999,
        sample=Sample(
            source=source,
            sha256=digest,
            fitted=len(fitting),
            n=len(testing),
            longest_prompt=max(trace.prompt for trace in traces),
            accuracy=float(np.mean([trace.moments[0].right for trace in testing])),
            calibration_error=calibration_error(told_N, right_N),
        ),
        entries=tuple(entries),
        curves=tuple(curves),
    )


def fit_confidence(traces: Sequence[Trace]) -> Confidence:
    """The confidence that these traces teach, from the answers at all their moments."""
    return fit(*_labelled(traces, "those that fit the confidence"))


def _labelled(traces: Sequence[Trace], which: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    moments = [moment for trace in traces for moment in trace.moments if moment.features is not None]
    if not moments:
        raise InputError(f"of {len(traces)} problems, {which}, the model answered none: there is nothing to calibrate")
    return np.array([moment.features for moment in moments]), np.array([moment.right for moment in moments])


def thresholds(traces: Sequence[Trace], confidence: Confidence) -> NDArray[np.float64]:
    """Thresholds on confidence, falling, that each let about as many more of these traces' answers through."""
    told = [
        confidence.of_features(moment.features)
        for trace in traces
        for moment in trace.moments
        if moment.features is not None
    ]
    shares = np.linspace(1, 0, SETTINGS + 1)[1:]
    return np.unique(np.append(np.quantile(told, shares), 0.0))[::-1]


def replay(
    traces: Sequence[Trace], confidence: Confidence, threshold_S: NDArray[np.float64], max_steps: int, max_tokens: int
) -> Trials:
    """What requests of a class would have been answered under each threshold: at the first moment that is sure enough.

    As in the engine: a moment beyond the limits never comes, and one without an answer is never sure.
    """
    answered_SN = np.zeros((len(threshold_S), len(traces)), dtype=bool)
    wrong_SN = np.zeros_like(answered_SN)
    for place, trace in enumerate(traces):
        open_S = np.ones(len(threshold_S), dtype=bool)
        for moment in trace.moments[:max_steps]:
            if moment.features is None or moment.tokens > max_tokens:
                continue
            now_S = open_S & (confidence.of_features(moment.features) >= threshold_S)
            answered_SN[now_S, place], wrong_SN[now_S, place] = True, not moment.right
            open_S &= ~now_S
    return Trials(answered_SN, wrong_SN)


def first_setting(seen: Trials, tolerance: float, delta: float, n: int) -> int:
    """The setting where testing on `n` problems begins: the most cautious that is likely to pass, going by other
    problems, or else the likeliest. Error rates are drawn a little towards a half (Laplace): few may have been seen.
    """
    share = n / seen.answered_SN.shape[1]
    chances = [
        _chance_to_pass(round(answered * share), (wrong + 1) / (answered + 2), tolerance, delta)
        for wrong, answered in seen.counts()
    ]
    likely = [place for place, chance in enumerate(chances) if chance >= LIKELY]
    return likely[0] if likely else chances.index(max(chances))


def _chance_to_pass(answered: int, error: float, tolerance: float, delta: float) -> float:
    """The probability that so few of some answers are wrong that the test passes, at this error rate."""
    wrong = -1
    while wrong + 1 < answered and p_value(wrong + 1, answered, tolerance) <= delta:
        wrong += 1
    return p_value(wrong, answered, error) if wrong >= 0 else 0.0


def _entry(
    trials: Trials,
    threshold_S: NDArray[np.float64],
    tolerance: float,
    delta: float,
    start: int,
    steps: int,
    tokens: int,
) -> Entry:
    found = certify(trials, tolerance, delta, start)
    own = {"error_tolerance": tolerance, "max_steps": steps, "max_tokens": tokens}
    if isinstance(found, Certified):
        return Entry(
            **own,
            threshold=float(threshold_S[found.setting]),
            n=found.n,
            wrong=found.wrong,
            bound=found.bound,
            coverage=found.coverage,
        )
    wrong, n = trials.counts()[start]
    return Entry(**own, threshold=None, n=n, wrong=wrong, reason=found.reason)


def _curve(trials: Trials, threshold_S: NDArray[np.float64], steps: int, tokens: int) -> Curve:
    tested = [
        Point(threshold=float(threshold), answered=n, wrong=wrong)
        for threshold, (wrong, n) in zip(threshold_S, trials.counts(), strict=True)
    ]
    return Curve(max_steps=steps, max_tokens=tokens, tested=tuple(tested))
