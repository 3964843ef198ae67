"""Which promise a request gets, and whether promises still hold.

The model's `calibration` says what can be promised. A promise holds only while requests come as the calibration sample
came. Two kinds of alarms watch that: one on first attempts in which the checker finds a wrong step, which needs no
known answers, and one for each tolerance on answers that somebody has judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tuili.engine.answer import Answer, Outcome, Promise
from tuili.engine.attempt import Attempt
from tuili.engine.promises.calibration import Calibration, Entry, NotPromised, read_calibration
from tuili.engine.promises.confidence import Confidence
from tuili.engine.promises.drift import DriftAlarm
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.sequence import StopReason
from tuili.errors import ModelFolderError
from tuili.steps import Context, Status
from tuili.store import model_hash, verifier_hash

NOT_REQUESTED = Promise(why="no error_tolerance was asked for")


class Promises:
    """What one engine promises.

    Args:
        calibration: None for a model about which nothing is promised.
        why_none: why there is no calibration.
    """

    def __init__(self, calibration: Calibration | None, why_none: str = "") -> None:
        self._calibration, self._why_none = calibration, why_none
        self._rejected_alarm = None if calibration is None else DriftAlarm(calibration.rejected)
        """Watches the share of first attempts with a wrong step."""
        tolerances = set() if calibration is None else {entry.error_tolerance for entry in calibration.entries}
        self._error_alarms = {tolerance: DriftAlarm(tolerance) for tolerance in tolerances}
        """Watch the share of wrong answers, by error tolerance."""

    @property
    def confidence(self) -> Confidence | None:
        """The fitted confidence, None for a model that is not calibrated."""
        return None if self._calibration is None else self._calibration.confidence

    def entry(self, request: Request, prompt_tokens: int, in_time: Callable[[int, int], bool]) -> Entry:
        """The class of a request with an error tolerance.

        Args:
            in_time: whether a response of the second number of tokens, behind a prompt of the first, ends before the
                deadline. It is asked for the longest prompt of the calibration, so that the class does not depend on
                the prompt.
        Raises `NotPromised` for a request about which nothing can be promised.
        """
        if self._calibration is None:
            raise NotPromised(f"error_tolerance: nothing is promised about this model: {self._why_none}")
        if not _is_calibrated_kind(request):
            raise NotPromised(
                "error_tolerance: promised only for depth auto, temperature 0, seed 0, no stop texts, no logit_bias, "
                "no own facts, no earlier messages, and token ids only of a text"
            )
        longest, budget = self._calibration.sample.longest_prompt, request.budget
        if prompt_tokens > longest:
            raise NotPromised(
                f"error_tolerance: nothing is promised about a prompt of {prompt_tokens} tokens: in calibration none "
                f"had more than {longest}"
            )
        if budget.max_layer_steps is not None:
            raise NotPromised("error_tolerance: nothing is promised with max_layer_steps; max_tokens limits work, too")
        classes = [tokens for tokens in self._calibration.token_classes if tokens <= budget.max_tokens]
        fitting = [tokens for tokens in classes if in_time(longest, tokens)]
        if classes and not fitting:
            raise NotPromised(
                f"deadline_ms = {budget.deadline_ms:g}: too short for an answer of {classes[0]} tokens, the shortest "
                "that anything is promised about"
            )
        return self._calibration.entry(replace_budget(budget, max_tokens=max(fitting)) if fitting else budget)

    def promise(self, entry: Entry | None) -> Promise:
        """What is promised about an answer of this class now."""
        if entry is None or self._calibration is None:
            return NOT_REQUESTED
        promise = self._calibration.promise(entry)
        errors, rejected = self._error_alarms[entry.error_tolerance], self._rejected_alarm
        if errors.revoked:
            return replace(promise, why=f"revoked: of {errors.seen} answers too many were wrong")
        if rejected is not None and rejected.revoked:
            return replace(
                promise,
                why=f"revoked: requests are unlike the calibration sample (of {rejected.seen} first attempts, more "
                f"than {rejected.epsilon:.1%} had a wrong step)",
            )
        return promise

    @property
    def revoked(self) -> bool:
        """Whether any promise has been revoked."""
        alarms = [*self._error_alarms.values(), *([] if self._rejected_alarm is None else [self._rejected_alarm])]
        return any(alarm.revoked for alarm in alarms)

    def observe_attempt(self, request: Request, first: Attempt) -> None:
        """Take in the first attempt at a request."""
        ended = first.sequence.stop is StopReason.END and not first.sequence.depth_limited
        if self._rejected_alarm is not None and ended and _is_calibrated_kind(request):
            self._rejected_alarm.observe(has_wrong_step(first))

    def observe_judged(self, answer: Answer, right: bool) -> None:
        """Take in whether an answer was right. Answers without a promise are left out."""
        tolerance = answer.receipt.promise.error_tolerance
        if answer.receipt.outcome is Outcome.ANSWERED and tolerance in self._error_alarms:
            self._error_alarms[tolerance].observe(not right)


def _is_calibrated_kind(request: Request) -> bool:
    """Whether a request is answered in the way in which the sample was."""
    own_facts = request.context != Context.from_prompt(request.prompt, request.earlier)
    biased = any(bias for _, bias in request.sampling.logit_bias)
    plain = (
        request.sampling.model_copy(update={"logprobs": None, "prompt_logprobs": None, "logit_bias": ()}) == Sampling()
    )
    one_turn = not (request.earlier or request.ignored.earlier)
    a_text = request.prompt_ids is None
    return request.depth == "auto" and plain and a_text and one_turn and not (biased or own_facts)


def has_wrong_step(attempt: Attempt) -> bool:
    """Whether the checker finds a step of an attempt wrong."""
    return any(step.verdict.status is Status.INVALID for step in attempt.response.steps)


def replace_budget(budget: Budget, **values: int) -> Budget:
    """A budget with some limits changed, and validated."""
    return Budget.model_validate(budget.model_dump() | values)


def load_promises(folder: Path, exit_threshold: float, int8: bool = False) -> Promises:
    """What can be promised about a model that is run with this exit threshold. Hashes the weights.

    Args:
        int8: whether its weights are rounded, which no calibration knows of.
    """
    if int8:
        return Promises(None, "it was calibrated without int8")
    return Promises(*valid_calibration(folder, exit_threshold))


def valid_calibration(folder: Path, threshold: float) -> tuple[Calibration | None, str]:
    """The calibration of a model folder for this exit threshold, or None and the reason. Hashes the weights."""
    try:
        calibration = read_calibration(folder)
    except ModelFolderError as error:
        return None, str(error)
    if calibration is None:
        return None, "it has not been calibrated (tuili calibrate does that)"
    if calibration.model != model_hash(folder) or calibration.verifier != verifier_hash(folder):
        return None, "its calibration was made with other weights: calibrate anew"
    if calibration.exit_threshold != threshold:
        return None, f"it was calibrated with an exit threshold of {calibration.exit_threshold:g}, not {threshold:g}"
    return calibration, ""
