"""Calibration: determines from problems with known answers what may be promised about a model's answers.

Every problem is answered once, with all the attempts that any class of requests allows. Those attempts determine
exactly what a request with fewer attempts or tokens, or with another confidence threshold, would have been answered:
the engine would only stop earlier, as soon as the confidence suffices. Some of the problems fit the confidence, the
others test the thresholds. `guarantee` does the statistics; `engine.promises.calibration` defines the form of the
result.

Dimensions: S settings (thresholds), N problems or answers, F features of an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from tuili.engine import (
    FEATURES,
    Attempt,
    Budget,
    Calibration,
    Confidence,
    Curve,
    Engine,
    Entry,
    Point,
    Request,
    RequestState,
    RunOptions,
    Runtime,
    Sample,
    StopReason,
    answer_features,
    best_of,
    calibration_error,
    default_calculator,
    fit,
    has_wrong_step,
    load_engine,
    load_runner,
    parse_settings,
    verifier_missed_some,
)
from tuili.errors import InputError, TooFew
from tuili.eval.calibration.first_attempts import bounded_share, low_confidence
from tuili.eval.calibration.guarantee import CertifiedSetting, LossTable, certify, min_answered, p_value
from tuili.eval.calibration.labelled import LabelledPrompt
from tuili.eval.parallel import Job, Measured, plan_workers, run_jobs
from tuili.eval.progress import JobProgress, Progress
from tuili.steps import CHECKER_VERSION, Context
from tuili.store import ImportedModel, familiarity_hash, model_hash, parts_hash, verifier_hash

UNREACHABLE_CONFIDENCE = float("inf")
"""A confidence that no answer has, so that every attempt is made."""
Drawn = TypeVar("Drawn")
MAX_THRESHOLDS = 100
"""The largest number of confidence thresholds tested."""
FITTING_STRIDE = 3
"""One problem in this many fits the confidence; the others test the thresholds."""
MIN_START_PROBABILITY = 0.95
"""The probability with which the first tested threshold should pass."""
REFINES_UNTRACED = True
"""Whether calibration makes further attempts for steps with untraced numbers."""
PROBLEMS_PER_PROCESS = 64
"""Fewer problems do not justify another process."""


@dataclass(frozen=True)
class AttemptSnapshot:
    """A request after one of its attempts.

    tokens: the number written so far, in all attempts. features: those of the answer that the request would give now;
    None if it could give none. right: whether that answer is right.
    """

    tokens: int
    features: tuple[float, ...] | None
    right: bool


@dataclass(frozen=True)
class AttemptHistory:
    """One problem answered with all attempts.

    prompt_tokens: the length of its prompt. snapshots: one after each attempt. rejected: whether the checker found a
    wrong step in the first attempt; None if the first attempt was cut off.
    """

    prompt_tokens: int
    snapshots: tuple[AttemptSnapshot, ...]
    rejected: bool | None


@dataclass(frozen=True)
class CalibrationGrid:
    """The classes of requests to calibrate: every combination of an error tolerance and limits on attempts and tokens.

    A promise fails with probability `delta`. Raises `InputError` if a list is empty or a value is out of range.
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
        for extreme in (max, min):
            parse_settings(Budget, {"max_steps": extreme(self.max_steps), "max_tokens": extreme(self.max_tokens)}, str)


def calibrate(
    loaded: Measured,
    prompts: Sequence[LabelledPrompt],
    source: str,
    grid: CalibrationGrid,
    progress: Progress = lambda *_: None,
    **options: Unpack[RunOptions],
) -> Calibration:
    """Answer every prompt and compute what can be promised about requests from the same distribution as these prompts.

    `source` describes the prompts for the reader of the result. options: see `tuili.engine.load_runner`; the promises
    hold for a model that is run with these options. Raises `TooFew` if there are too few prompts, or the model answers
    none.
    """
    check_sample_size(len(prompts), grid)
    runtime = load_runner(loaded, slots=1, **options).runtime
    answering = partial(load_engine, refines_untraced=REFINES_UNTRACED, **options)
    histories = collect_histories(loaded, prompts, max(grid.max_steps), max(grid.max_tokens), progress, answering)
    digest = hashlib.sha256("\n".join(f"{one.prompt}\0{one.answer}" for one in prompts).encode()).hexdigest()
    return certify_grid(histories, loaded, source, digest, grid, runtime)


def check_sample_size(count: int, grid: CalibrationGrid) -> None:
    """Raise `TooFew` if a sample is too small to promise even the largest tolerance with all answers right."""
    least = min(min_answered(tolerance, grid.delta) for tolerance in grid.tolerances)
    if count * (FITTING_STRIDE - 1) < least * FITTING_STRIDE:
        needed = least * FITTING_STRIDE // (FITTING_STRIDE - 1) + 1
        raise TooFew(f"{count} problems: at least {needed} are needed")


def collect_histories(
    loaded: Measured,
    prompts: Sequence[LabelledPrompt],
    max_steps: int,
    max_tokens: int,
    progress: Progress,
    make_engine: Callable[..., Engine] = load_engine,
) -> list[AttemptHistory]:
    """One history for each prompt, in the order of the prompts; several processes share the prompts."""
    workers = plan_workers(loaded, -(-len(prompts) // PROBLEMS_PER_PROCESS))
    count = workers.processes
    jobs: dict[str, Job] = {
        f"problems {start + 1}, {start + 1 + count}, …" if count > 1 else "problems": partial(
            _collect, make_engine, prompts[start::count], max_steps, max_tokens
        )
        for start in range(count)
    }
    parts = list(run_jobs(loaded, jobs, progress, workers).values())
    return [parts[place % len(parts)][place // len(parts)] for place in range(len(prompts))]


def _collect(
    make_engine: Callable[..., Engine],
    prompts: Sequence[LabelledPrompt],
    max_steps: int,
    max_tokens: int,
    loaded: Measured,
    progress: JobProgress,
) -> list[AttemptHistory]:
    # A worker process was given its share of the cores.
    threads = None if isinstance(loaded, ImportedModel) else torch.get_num_threads()
    engine = make_engine(loaded, slots=32, waiting=len(prompts) + 1, threads=threads)
    budget = Budget(max_steps=max_steps, max_tokens=max_tokens)
    tickets = [engine.admit(Request(one.prompt, budget), min_confidence=UNREACHABLE_CONFIDENCE) for one in prompts]
    answered = 0
    while engine.busy:
        if ended := len(engine.step()):
            answered += ended
            progress(answered, len(prompts))
    return [attempt_history(ticket.state, one, engine.verifies) for ticket, one in zip(tickets, prompts, strict=True)]


def attempt_history(state: RequestState, expected: LabelledPrompt, verifies: bool) -> AttemptHistory:
    """The history of a request that made all its attempts; `verifies`: whether the verifier should have read them."""
    snapshots, first = [], state.attempts[0]
    for count in range(1, len(state.attempts) + 1):
        attempts = state.attempts[:count]
        unread = verifies and verifier_missed_some(attempts)
        snapshots.append(
            AttemptSnapshot(
                sum(attempt.sequence.written for attempt in attempts),
                None if unread else answer_features(attempts, state.familiar),
                _is_right(best_of(attempts), expected, state.request.context),
            )
        )
    rejected = has_wrong_step(first) if first.sequence.stop is StopReason.END else None
    return AttemptHistory(len(state.prompt), tuple(snapshots), rejected)


def _is_right(attempt: Attempt, expected: LabelledPrompt, context: Context) -> bool:
    steps = [step.text for step in attempt.response.steps]
    return expected.is_answered_by(steps, attempt.response.answer, context)


def certify_grid(
    histories: Sequence[AttemptHistory],
    loaded: Measured,
    source: str,
    digest: str,
    grid: CalibrationGrid,
    runtime: Runtime,
) -> Calibration:
    """The calibration that these histories support; `digest` is the hash of their prompts and right answers."""
    fitting = fitting_part(histories)
    testing = testing_part(histories)
    confidence = fit_confidence(fitting)
    threshold_S = candidate_thresholds(fitting, confidence)
    entries, curves = [], []
    for steps in sorted(grid.max_steps):
        for tokens in sorted(grid.max_tokens):
            fitting_losses = replay(fitting, confidence, threshold_S, steps, tokens)
            losses = replay(testing, confidence, threshold_S, steps, tokens)
            curves.append(_curve(losses, threshold_S, steps, tokens))
            for tolerance in sorted(grid.tolerances):
                start = starting_setting(fitting_losses, tolerance, grid.delta, len(testing))
                entries.append(_entry(losses, threshold_S, tolerance, grid.delta, start, steps, tokens))
    features_NF, right_N = _labelled(testing, "those that test the thresholds")
    confidence_N = np.array([confidence.of_features(features_F) for features_F in features_NF])
    ended = [[history for history in part if history.rejected is not None] for part in (fitting, testing)]
    return Calibration(
        model=model_hash(loaded.path),
        verifier=verifier_hash(loaded.path),
        checker=CHECKER_VERSION,
        runtime=runtime,
        exit_threshold=(loaded.shape if isinstance(loaded, ImportedModel) else loaded.model.config).exit_threshold,
        delta=grid.delta,
        coefficients=confidence.coefficients,
        constant=confidence.constant,
        rejected=bounded_share([bool(history.rejected) for history in ended[1]]),
        sample=Sample(
            source=source,
            sha256=digest,
            fitted=len(fitting),
            n=len(testing),
            longest_prompt=max(history.prompt_tokens for history in histories),
            accuracy=float(np.mean([history.snapshots[0].right for history in testing])),
            calibration_error=calibration_error(confidence_N, right_N),
        ),
        entries=tuple(entries),
        curves=tuple(curves),
        features=FEATURES,
        familiarity=familiarity_hash(loaded.path),
        refines_untraced=REFINES_UNTRACED,
        parts=parts_hash(loaded.path),
        calculator=default_calculator(loaded.path),
        low_confidence=low_confidence(confidence, *([one.snapshots[0].features for one in part] for part in ended)),
    )


def fitting_part(sample: Sequence[Drawn]) -> Sequence[Drawn]:
    """The part of a sample that fits the confidence. The rest tests thresholds, so nothing may be learnt from it."""
    return sample[::FITTING_STRIDE]


def testing_part(sample: Sequence[Drawn]) -> Sequence[Drawn]:
    """The part of a sample that tests the thresholds."""
    return [one for place, one in enumerate(sample) if place % FITTING_STRIDE]


def fit_confidence(histories: Sequence[AttemptHistory]) -> Confidence:
    """The confidence fitted to the answers of all snapshots of these histories."""
    return fit(*_labelled(histories, "those that fit the confidence"))


def _labelled(histories: Sequence[AttemptHistory], which: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    answers = [snapshot for history in histories for snapshot in history.snapshots if snapshot.features is not None]
    if not answers:
        count = len(histories)
        raise TooFew(f"of {count} problems, {which}, the model answered none: there is nothing to calibrate")
    return np.array([answer.features for answer in answers]), np.array([answer.right for answer in answers])


def candidate_thresholds(histories: Sequence[AttemptHistory], confidence: Confidence) -> NDArray[np.float64]:
    """Descending thresholds on confidence; each admits about the same number of further answers of these histories."""
    confidences = [
        confidence.of_features(snapshot.features)
        for history in histories
        for snapshot in history.snapshots
        if snapshot.features is not None
    ]
    shares = np.linspace(1, 0, MAX_THRESHOLDS + 1)[1:]
    return np.unique(np.append(np.quantile(confidences, shares), 0.0))[::-1]


def replay(
    histories: Sequence[AttemptHistory],
    confidence: Confidence,
    threshold_S: NDArray[np.float64],
    max_steps: int,
    max_tokens: int,
) -> LossTable:
    """The outcome of requests of a class under each threshold: they are answered at the first confident snapshot.

    As in the engine, a request never reaches a snapshot beyond its limits, and never stops at one without an answer.
    """
    answered_SN = np.zeros((len(threshold_S), len(histories)), dtype=bool)
    wrong_SN = np.zeros_like(answered_SN)
    for place, history in enumerate(histories):
        open_S = np.ones(len(threshold_S), dtype=bool)
        for snapshot in history.snapshots[:max_steps]:
            if snapshot.features is None or snapshot.tokens > max_tokens:
                continue
            now_S = open_S & (confidence.of_features(snapshot.features) >= threshold_S)
            answered_SN[now_S, place], wrong_SN[now_S, place] = True, not snapshot.right
            open_S &= ~now_S
    return LossTable(answered_SN, wrong_SN)


def starting_setting(losses: LossTable, tolerance: float, delta: float, n: int) -> int:
    """The setting at which testing on `n` problems begins, chosen by the losses on other problems.

    It is the most cautious setting that is likely to pass, or else the setting most likely to pass. Error rates are
    shrunk slightly towards one half (Laplace smoothing), because there may be few losses.
    """
    share = n / losses.answered_SN.shape[1]
    chances = [
        _chance_to_pass(round(answered * share), (wrong + 1) / (answered + 2), tolerance, delta)
        for wrong, answered in losses.error_counts()
    ]
    likely = [place for place, chance in enumerate(chances) if chance >= MIN_START_PROBABILITY]
    return likely[0] if likely else chances.index(max(chances))


def _chance_to_pass(answered: int, error: float, tolerance: float, delta: float) -> float:
    """The probability that the test passes for this number of answers at this error rate."""
    wrong = -1
    while wrong + 1 < answered and p_value(wrong + 1, answered, tolerance) <= delta:
        wrong += 1
    return p_value(wrong, answered, error) if wrong >= 0 else 0.0


def _entry(
    losses: LossTable,
    threshold_S: NDArray[np.float64],
    tolerance: float,
    delta: float,
    start: int,
    steps: int,
    tokens: int,
) -> Entry:
    result = certify(losses, tolerance, delta, start)
    request_class = {"error_tolerance": tolerance, "max_steps": steps, "max_tokens": tokens}
    if isinstance(result, CertifiedSetting):
        return Entry(
            **request_class,
            threshold=float(threshold_S[result.setting]),
            n=result.n,
            wrong=result.wrong,
            bound=result.bound,
            coverage=result.coverage,
        )
    wrong, n = losses.error_counts()[start]
    return Entry(**request_class, threshold=None, n=n, wrong=wrong, reason=result.reason)


def _curve(losses: LossTable, threshold_S: NDArray[np.float64], steps: int, tokens: int) -> Curve:
    tested = [
        Point(threshold=float(threshold), answered=n, wrong=wrong)
        for threshold, (wrong, n) in zip(threshold_S, losses.error_counts(), strict=True)
    ]
    return Curve(max_steps=steps, max_tokens=tokens, tested=tuple(tested))
