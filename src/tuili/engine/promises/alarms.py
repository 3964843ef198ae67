"""All alarms that watch one calibration, and which promises they revoke for which client.

Two alarms watch first attempts, for which no known answers are needed, and revoke every promise: one counts attempts in
which the checker finds a wrong step, the other attempts of which the model is unsure. In addition, one alarm per error
tolerance watches answers that have been judged externally, and revokes the promises of that tolerance. Each of them is
a `SharedAlarm`, which revokes for one client or for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

from tuili.engine.promises.drift import DriftAlarm
from tuili.engine.promises.shared_alarm import SharedAlarm
from tuili.errors import InputError

Watched = Literal["attempts", "confidence", "answers"]
"""What an alarm watches: wrong steps of first attempts, the confidence of first attempts, or judged answers."""
TOO_OFTEN: Mapping[Watched, str] = {"attempts": "had a wrong step", "confidence": "had little confidence"}
"""For each alarm on first attempts, what too many of them had."""


@dataclass(frozen=True)
class AlarmReading:
    """The current state of one alarm.

    error_tolerance: the tolerance whose promises it revokes; None for an alarm on first attempts, which revokes all.
    client: the client whose answers it watches; None for the common alarm. seen: number of answers or attempts so far.
    evidence: evidence against the promise, as a share of the amount that revokes it. given: the same in the common
    alarm, by client; empty for the alarm of one client.
    """

    watches: Watched
    error_tolerance: float | None
    client: str | None
    seen: int
    evidence: float
    revoked: bool
    given: Mapping[str, float]

    @property
    def name(self) -> str:
        """A short name of the alarm: what it watches, or its tolerance."""
        return self.watches if self.error_tolerance is None else f"{self.error_tolerance:g}"


class Alarms:
    """The alarms of one calibration. Thread-safe.

    Args:
        rejected: the maximum expected share of first attempts with a wrong step.
        tolerances: the error tolerances that are promised.
        unsure: the maximum expected share of unsure first attempts; None if nothing identifies them.
    """

    def __init__(self, rejected: float, tolerances: Iterable[float], unsure: float | None = None) -> None:
        self._lock = Lock()
        shares: dict[Watched, float | None] = {"attempts": rejected, "confidence": unsure}
        self._first = {watched: SharedAlarm(share) for watched, share in shares.items() if share is not None}
        self._answers = {tolerance: SharedAlarm(tolerance) for tolerance in sorted(set(tolerances))}
        self._changes, self._revocations = 0, 0

    @property
    def changes(self) -> int:
        """Number of changes to any alarm. The state need not be saved again while this number is unchanged."""
        return self._changes

    @property
    def revocations(self) -> int:
        """How often an alarm has been raised, including alarms restored as raised."""
        return self._revocations

    def observe_attempt(self, client: str, rejected: bool, unsure: bool | None = None) -> None:
        """Record whether the checker finds a wrong step in a first attempt, and whether the model is unsure of it;
        `unsure` is None if that is not known.
        """
        self._observe(self._first["attempts"], client, rejected)
        if unsure is not None and "confidence" in self._first:
            self._observe(self._first["confidence"], client, unsure)

    def observe_answer(self, client: str, error_tolerance: float | None, wrong: bool) -> None:
        """Record whether an answer promised with this tolerance is wrong. Other answers are ignored."""
        if error_tolerance in self._answers:
            self._observe(self._answers[error_tolerance], client, wrong)

    def _observe(self, alarm: SharedAlarm, client: str, wrong: bool) -> None:
        with self._lock:
            self._revocations += alarm.observe(client, wrong)
            self._changes += 1

    def why_revoked(self, client: str, error_tolerance: float) -> str:
        """Why promises of this tolerance are revoked for a client; empty if they hold."""
        with self._lock:
            if (answers := self._answers[error_tolerance].revoked_for(client)) is not None:
                return f"revoked: of {answers.seen} answers too many were wrong"
            for watched, alarm in self._first.items():
                if (raised := alarm.revoked_for(client)) is not None:
                    whose = "requests" if raised is alarm.common else f"requests of {client}"
                    share = f"more than {raised.epsilon:.1%} {TOO_OFTEN[watched]}"
                    sample = f"(of {raised.seen} first attempts, {share})"
                    return f"revoked: {whose} are unlike the calibration sample {sample}"
        return ""

    def readings(self) -> list[AlarmReading]:
        """The state of every alarm: for each subject the common alarm, then those of clients by name."""
        with self._lock:
            return [
                reading
                for watched, tolerance, alarm in self._by_subject()
                for reading in (
                    _reading(watched, tolerance, None, alarm.common, alarm.given),
                    *(_reading(watched, tolerance, client, own, {}) for client, own in sorted(alarm.own.items())),
                )
            ]

    def reset(self, client: str | None = None) -> None:
        """Restart the alarms of a client, or the common ones if no client is named."""
        with self._lock:
            for _, _, alarm in self._by_subject():
                alarm.reset(client)
            self._changes += 1

    def state(self) -> dict[str, Any]:
        """The whole state as plain values that JSON preserves exactly."""
        with self._lock:
            answers = {repr(tolerance): alarm.state() for tolerance, alarm in self._answers.items()}
            return {watched: alarm.state() for watched, alarm in self._first.items()} | {"answers": answers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state`. Raises `InputError`, and changes nothing, if it is not a state of these alarms.

        The alarm on confidence starts afresh if the state comes from a version without it.
        """
        shares = {watched: alarm.common.epsilon for watched, alarm in self._first.items()}
        restored = Alarms(shares["attempts"], self._answers, shares.get("confidence"))
        try:
            tolerances = {repr(tolerance) for tolerance in self._answers}
            if state["answers"].keys() != tolerances or not state.keys() <= {*self._first, "answers"}:
                raise InputError("state of the alarms: it belongs to other promises")
            for watched, alarm in restored._first.items():
                if watched == "attempts" or watched in state:
                    alarm.restore(state[watched])
            for tolerance, alarm in restored._answers.items():
                alarm.restore(state["answers"][repr(tolerance)])
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"state of the alarms: {error!r}; attempts and answers are needed") from None
        with self._lock:
            self._first, self._answers = restored._first, restored._answers
            self._revocations += sum(alarm.revoked for alarm in self._every())

    def _every(self) -> list[DriftAlarm]:
        """All alarms, including those of clients."""
        return [each for _, _, alarm in self._by_subject() for each in (alarm.common, *alarm.own.values())]

    def _by_subject(self) -> list[tuple[Watched, float | None, SharedAlarm]]:
        first = [(watched, None, alarm) for watched, alarm in self._first.items()]
        return [*first, *(("answers", tolerance, alarm) for tolerance, alarm in self._answers.items())]


def _reading(
    watched: Watched, tolerance: float | None, client: str | None, alarm: DriftAlarm, given: Mapping[str, float]
) -> AlarmReading:
    shares = {name: evidence / alarm.limit for name, evidence in sorted(given.items())}
    return AlarmReading(watched, tolerance, client, alarm.seen, alarm.evidence / alarm.limit, alarm.revoked, shares)
