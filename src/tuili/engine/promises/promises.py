"""Which promise a request gets, and whether promises still hold.

The model's `calibration` says what can be promised. A promise holds only while requests are distributed like the
calibration sample, which `alarms` monitor. A revoked promise is refused like one that was never calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tuili.engine.answer import Answer, Outcome, Promise
from tuili.engine.attempt import Attempt, verifier_missed_some
from tuili.engine.promises.alarms import Alarms
from tuili.engine.promises.calibration import Calibration, Entry, NotPromised, read_calibration
from tuili.engine.promises.confidence import Confidence, answer_features
from tuili.engine.promises.familiarity import Familiar, Familiarity
from tuili.engine.request import Budget, Request, Sampling
from tuili.engine.runtime.runner import Runtime
from tuili.engine.sequence import StopReason
from tuili.errors import ModelFolderError
from tuili.steps import CHECKER_VERSION, Context, Status, read_as
from tuili.store import (
    FAMILIARITY_FILE,
    familiarity_hash,
    model_hash,
    parts_hash,
    read_familiarity_file,
    verifier_hash,
)

ANEW = "calibrate anew (tuili calibrate)"
NOT_REQUESTED = Promise(why="no error_tolerance was asked for")


class Promises:
    """What one engine promises.

    Args:
        calibration: None for a model about which nothing is promised.
        why_none: why there is no calibration.
        refines_untraced: whether a step with untraced numbers triggers a further attempt.
        familiarity: identifies unfamiliar prompts, about which nothing is promised; None if the model has no measure.
    """

    def __init__(
        self,
        calibration: Calibration | None,
        why_none: str = "",
        refines_untraced: bool = False,
        familiarity: Familiarity | None = None,
    ) -> None:
        self._calibration, self._why_none, self.refines_untraced = calibration, why_none, refines_untraced
        self._familiarity = familiarity
        self.calibration_hash = "" if calibration is None else calibration.sha256
        """Identifies the calibration that the alarms watch; empty if there is none."""
        self.alarms: Alarms | None = None
        """None if nothing is promised."""
        if calibration is not None:
            low = calibration.low_confidence
            tolerances = (entry.error_tolerance for entry in calibration.entries)
            self.alarms = Alarms(calibration.rejected, tolerances, None if low is None else low.share)

    @property
    def confidence(self) -> Confidence | None:
        """The fitted confidence, None for a model that is not calibrated."""
        return None if self._calibration is None else self._calibration.confidence

    def take_over(self, before: Promises) -> bool:
        """If both have the same calibration, continue with the alarms of `before`. Returns whether they have."""
        same = self.alarms is not None and self.calibration_hash == before.calibration_hash
        if same:
            self.alarms = before.alarms
        return same

    def familiar(self, ids: Sequence[int]) -> Familiar | None:
        """How familiar a prompt of these tokens is; None if the model has no measure of it."""
        return None if self._familiarity is None else self._familiarity.of(ids)

    def entry(
        self,
        request: Request,
        prompt_tokens: int,
        in_time: Callable[[int, int], bool],
        familiar: Familiar | None,
    ) -> Entry:
        """The class of a request with an error tolerance.

        Args:
            in_time: called with a number of prompt tokens and a number of response tokens; returns whether such a
                response ends before the deadline. It is called with the longest prompt of the calibration, so that the
                class does not depend on the prompt.
            familiar: how familiar the prompt is, as returned by `familiar`.
        Raises `NotPromised` if nothing can be promised about the request, or the promise was revoked for its client.
        """
        if self._calibration is None or self.alarms is None:
            raise NotPromised(f"error_tolerance: nothing is promised about this model: {self._why_none}")
        if not _is_calibrated_kind(request):
            raise NotPromised(
                "error_tolerance: promised only for depth auto, temperature 0, seed 0, no stop texts, no logit_bias, "
                "no grammar, no own facts, no earlier messages, and token ids or log-probabilities of a prompt only "
                "where it is a text that is read as it stands; of an imported model for a question alone, without "
                "instructions and functions"
            )
        if (calculator := request.calculator or "off") != (calibrated := self._calibration.calculator):
            raise NotPromised(
                f"error_tolerance: promised only with calculator {calibrated}, as it was calibrated, not {calculator}"
            )
        longest, budget = self._calibration.sample.longest_prompt, request.budget
        if prompt_tokens > longest:
            raise NotPromised(
                f"error_tolerance: nothing is promised about a prompt of {prompt_tokens} tokens: in calibration none "
                f"had more than {longest}"
            )
        if familiar is not None and not familiar.enough:
            raise NotPromised(f"error_tolerance: nothing is promised about this prompt: {familiar.reason}")
        if budget.max_layer_steps is not None:
            raise NotPromised("error_tolerance: nothing is promised with max_layer_steps; max_tokens limits work, too")
        classes = [tokens for tokens in self._calibration.token_classes if tokens <= budget.max_tokens]
        fitting = [tokens for tokens in classes if in_time(longest, tokens)]
        if classes and not fitting:
            raise NotPromised(
                f"deadline_ms = {budget.deadline_ms:g}: too short for an answer of {classes[0]} tokens, the shortest "
                "that anything is promised about"
            )
        alarms, client = self.alarms, request.client
        return self._calibration.entry(
            replace_budget(budget, max_tokens=max(fitting)) if fitting else budget,
            lambda entry: alarms.why_revoked(client, entry.error_tolerance),
        )

    def promise(self, entry: Entry | None, client: str = "") -> Promise:
        """What is currently promised to a client about an answer of this class."""
        if entry is None or self._calibration is None or self.alarms is None:
            return NOT_REQUESTED
        why = self.alarms.why_revoked(client, entry.error_tolerance)
        return replace(self._calibration.promise(entry), why=why)

    def observe_attempt(self, request: Request, first: Attempt, familiar: Familiar | None) -> None:
        """Record the first attempt at a request, under the conditions in which calibration saw those of its sample.

        Ignored are attempts that a limit cut off or kept from their depth, attempts longer than calibration allowed,
        and requests that are answered in another way. Limits tighter than in calibration let through the shorter
        attempts, which as a rule have fewer wrong steps and of which the model is surer. If the verifier should have
        read an attempt and could not, for example because a deadline left no time, its confidence is not recorded.
        """
        sequence, calibration = first.sequence, self._calibration
        if self.alarms is None or calibration is None or not _is_calibrated_kind(request):
            return
        ended = sequence.stop is StopReason.END and not sequence.depth_limited
        as_long = sequence.written <= calibration.token_classes[-1]
        if ended and as_long and (request.calculator or "off") == calibration.calculator:
            unsure = _is_unsure(first, familiar, calibration)
            self.alarms.observe_attempt(request.client, has_wrong_step(first), unsure)

    def observe_judged(self, answer: Answer, right: bool, client: str = "") -> None:
        """Record whether an answer to a client was right. Answers without a promise are ignored.

        Answers must be chosen for judging without regard to whether they are right.
        """
        if self.alarms is not None and is_promised(answer):
            self.alarms.observe_answer(client, answer.receipt.promise.error_tolerance, not right)


def is_promised(answer: Answer) -> bool:
    """Whether an answer was given under a promise."""
    promise = answer.receipt.promise
    return answer.receipt.outcome is Outcome.ANSWERED and promise.error_tolerance is not None and not promise.why


def _is_calibrated_kind(request: Request) -> bool:
    """Whether a request is answered in the same way as the calibration sample."""
    own_facts = request.context not in (Context(), Context.from_prompt(request.question, request.earlier))
    biased = any(bias for _, bias in request.sampling.logit_bias)
    plain = (
        request.sampling.model_copy(update={"logprobs": None, "prompt_logprobs": None, "logit_bias": ()}) == Sampling()
    )
    one_turn = not (request.earlier or request.ignored.earlier)
    unread = request.prompt_ids is not None or (
        request.sampling.prompt_logprobs is not None and read_as(request.prompt).text != request.question
    )
    alone = request.messages in ((), ({"role": "user", "content": request.prompt},)) and not request.tools
    answered = request.thinks and not (request.continues or request.grammar)
    as_it_stands = alone and answered and not (unread or biased or own_facts)
    return request.depth == "auto" and plain and one_turn and as_it_stands


def has_wrong_step(attempt: Attempt) -> bool:
    """Whether the checker finds a step of an attempt wrong."""
    return any(step.verdict.status is Status.INVALID for step in attempt.response.steps)


def _is_unsure(first: Attempt, familiar: Familiar | None, calibration: Calibration) -> bool | None:
    """Whether the model is unsure of a first attempt; None if that cannot be determined as it was in calibration."""
    unread = calibration.verifier is not None and verifier_missed_some([first])
    if calibration.low_confidence is None or unread:
        return None
    return calibration.confidence.is_below(calibration.low_confidence.level, answer_features([first], familiar))


def replace_budget(budget: Budget, **values: int) -> Budget:
    """A validated copy of a budget with some limits changed."""
    return Budget.model_validate(budget.model_dump() | values)


def load_promises(
    folder: Path, exit_threshold: float, runtime: Runtime, refines_untraced: bool | None = None
) -> Promises:
    """What can be promised about a model run in this way and with this exit threshold. Hashes the weights.

    Args:
        refines_untraced: whether untraced numbers trigger a further attempt. None: as in the folder's calibration,
            whether or not it is valid here; true if the folder has no calibration.
    """
    calibration, why_none = valid_calibration(folder, exit_threshold, runtime)
    familiarity = None
    try:
        stored = read_familiarity_file(folder)
        familiarity = None if stored is None else Familiarity(stored)
    except ModelFolderError as error:
        calibration, why_none = None, str(error)
    measured = _measured_refining(folder)
    refines = measured if refines_untraced is None else refines_untraced
    if calibration is not None and calibration.refines_untraced != refines:
        how = "with" if calibration.refines_untraced else "without"
        calibration, why_none = None, f"it was calibrated {how} further attempts for numbers from nowhere: {ANEW}"
    return Promises(calibration, why_none, refines, familiarity)


def _measured_refining(folder: Path) -> bool:
    try:
        calibration = read_calibration(folder)
    except ModelFolderError:
        return False
    return calibration is None or calibration.refines_untraced


def valid_calibration(folder: Path, threshold: float, runtime: Runtime | None = None) -> tuple[Calibration | None, str]:
    """The calibration of a model folder for this exit threshold and runtime, or None and the reason.

    Hashes the weights.

    Args:
        runtime: None accepts any runtime that it was calibrated with.
    """
    try:
        calibration = read_calibration(folder)
    except ModelFolderError as error:
        return None, str(error)
    if calibration is None:
        return None, "it has not been calibrated (tuili calibrate does that)"
    if calibration.model != model_hash(folder):
        return None, f"its calibration was made with other weights: {ANEW}"
    if calibration.verifier != verifier_hash(folder):
        return None, f"its calibration was made with another verifier: {ANEW}"
    if calibration.familiarity != familiarity_hash(folder):
        return None, f"its calibration was made with another {FAMILIARITY_FILE}: {ANEW}"
    if calibration.parts != parts_hash(folder):
        return None, f"its calibration was made with another tokenizer, chat template, exits or thinking: {ANEW}"
    if calibration.exit_threshold != threshold:
        return None, f"it was calibrated with an exit threshold of {calibration.exit_threshold:g}, not {threshold:g}"
    if calibration.checker != CHECKER_VERSION:
        return (
            None,
            f"it was calibrated with version {calibration.checker} of the checker, not {CHECKER_VERSION}: {ANEW}",
        )
    if runtime is not None and calibration.runtime != runtime:
        return None, f"it was calibrated with {calibration.runtime}, and runs with {runtime}: {ANEW}"
    return calibration, ""
