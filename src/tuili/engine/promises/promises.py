"""Which promise a request gets, and whether promises still hold.

What can be promised stands in the model's `calibration`. A promise rests on requests that come as the calibration
sample came. Two alarms watch for that: one on first attempts in which the checker finds a wrong step, which needs
nobody to know the answers, and one on answers of which somebody told whether they were right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tuili.engine.answer import Answer, Outcome
from tuili.engine.attempt import Attempt
from tuili.engine.promises.calibration import Calibration, Entry, NotPromised, Promise, read_calibration
from tuili.engine.promises.confidence import Confidence
from tuili.engine.promises.drift import DriftAlarm
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.sequence import Stop
from tuili.errors import ModelFolderError
from tuili.model.folder import LoadedModel
from tuili.steps import Context, Status
from tuili.store import verifier_hash
from tuili.store.lineage import model_hash

NOT_ASKED = Promise(why="no error_tolerance was asked for")


class Pledges:
    """What one engine promises. It reads the calibration of the model's folder, and for that hashes the weights."""

    def __init__(self, loaded: LoadedModel, threshold: float, int8: bool = False) -> None:
        self._calibration, self._why = valid_calibration(loaded.path, threshold)
        if int8:
            self._calibration, self._why = None, "it was calibrated without int8"
        found = self._calibration
        self._unlike = None if found is None else DriftAlarm(found.rejected)
        tolerances = set() if found is None else {entry.error_tolerance for entry in found.entries}
        self._errors = {tolerance: DriftAlarm(tolerance) for tolerance in tolerances}

    @property
    def confidence(self) -> Confidence | None:
        """What tells how sure an answer is, None for a model that is not calibrated."""
        return None if self._calibration is None else self._calibration.confidence

    def entry(self, request: Request, prompt: int, in_time: Callable[[int, int], bool]) -> Entry:
        """The class of a request with an error tolerance, whose prompt has so many tokens. `in_time` says whether so
        many tokens behind a prompt of so many end before its deadline, which is asked for the longest prompt of the
        calibration, so that the class does not depend on the prompt. Raises `NotPromised` for a request that nothing
        can be promised about.
        """
        if self._calibration is None:
            raise NotPromised(f"error_tolerance: nothing is promised about this model: {self._why}")
        if not _is_usual(request):
            raise NotPromised(
                "error_tolerance: promised only for depth auto, temperature 0, seed 0, no stop texts, no own facts, no "
                "earlier questions"
            )
        longest, budget = self._calibration.sample.longest_prompt, request.budget
        if prompt > longest:
            raise NotPromised(
                f"error_tolerance: nothing is promised about a prompt of {prompt} tokens: in calibration none had more "
                f"than {longest}"
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
        """What an answer of this class is promised now."""
        if entry is None or self._calibration is None:
            return NOT_ASKED
        promised = self._calibration.promise(entry)
        if self._errors[entry.error_tolerance].revoked:
            return replace(
                promised, why=f"revoked: of {self._errors[entry.error_tolerance].seen} answers too many were wrong"
            )
        if self._unlike is not None and self._unlike.revoked:
            return replace(
                promised,
                why=f"revoked: requests are unlike the calibration sample (of {self._unlike.seen} first attempts, more "
                f"than {self._unlike.epsilon:.1%} had a wrong step)",
            )
        return promised

    @property
    def revoked(self) -> bool:
        """Whether any promise has been revoked."""
        alarms = [*self._errors.values(), *([self._unlike] if self._unlike is not None else [])]
        return any(alarm.revoked for alarm in alarms)

    def tried(self, request: Request, first: Attempt) -> None:
        """Learn how the first attempt at a request went."""
        ended = first.row.stop is Stop.END and not first.row.hurried
        if self._unlike is not None and ended and _is_usual(request):
            self._unlike.saw(has_wrong_step(first))

    def heard(self, answer: Answer, right: bool) -> None:
        """Learn whether an answer was right; those that were given without a promise count for nothing."""
        tolerance = answer.receipt.promise.error_tolerance
        if answer.receipt.outcome is Outcome.ANSWERED and tolerance in self._errors:
            self._errors[tolerance].saw(not right)


def _is_usual(request: Request) -> bool:
    """Whether a request is answered in the way that was calibrated."""
    own_facts = request.context != Context.from_prompt(request.prompt)
    plain = request.sampling.model_copy(update={"logprobs": None}) == Sampling() and not request.earlier
    return request.depth == "auto" and plain and not own_facts


def has_wrong_step(attempt: Attempt) -> bool:
    """Whether the checker finds a step of an attempt wrong."""
    return any(step.verdict.status is Status.INVALID for step in attempt.written.steps)


def replace_budget(budget: Budget, **values: int) -> Budget:
    """A budget with some limits changed, checked like any other."""
    return Budget.model_validate(budget.model_dump() | values)


def valid_calibration(folder: Path, threshold: float) -> tuple[Calibration | None, str]:
    """The calibration that holds for a model run with this exit threshold, or why there is none."""
    try:
        found = read_calibration(folder)
    except ModelFolderError as error:
        return None, str(error)
    if found is None:
        return None, "it has not been calibrated (tuili calibrate does that)"
    if found.model != model_hash(folder) or found.verifier != verifier_hash(folder):
        return None, "its calibration was made with other weights: calibrate anew"
    if found.exit_threshold != threshold:
        return None, f"it was calibrated with an exit threshold of {found.exit_threshold:g}, not {threshold:g}"
    return found, ""
