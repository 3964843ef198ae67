"""All alarms that watch one calibration, and which promise they revoke for whom.

One alarm watches first attempts in which the checker finds a wrong step, which needs no known answers; it revokes
every promise. One for each error tolerance watches answers that somebody has judged; it revokes the promises of its
tolerance. Each of them is a `SharedAlarm`: it revokes for one client, or for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from tuili.engine.promises.drift import DriftAlarm
from tuili.engine.promises.shared_alarm import SharedAlarm
from tuili.errors import InputError


@dataclass(frozen=True)
class AlarmReading:
    """One alarm as it stands.

    error_tolerance: whose promises it revokes; None for the alarm on first attempts, which revokes all. client: whose
    answers it watches; None for the common alarm. seen: answers or attempts so far. evidence: against the promise, as a
    share of what revokes it. given: the same in the common alarm, by client; empty for the alarm of one client.
    """

    error_tolerance: float | None
    client: str | None
    seen: int
    evidence: float
    revoked: bool
    given: Mapping[str, float]


class Alarms:
    """The alarms of one calibration. Thread-safe.

    Args:
        rejected: the share of first attempts with a wrong step that is expected at most.
        tolerances: the error tolerances that are promised.
    """

    def __init__(self, rejected: float, tolerances: Iterable[float]) -> None:
        self._lock = Lock()
        self._attempts = SharedAlarm(rejected)
        self._answers = {tolerance: SharedAlarm(tolerance) for tolerance in sorted(set(tolerances))}
        self._changes, self._revocations = 0, 0

    @property
    def changes(self) -> int:
        """How often any alarm has changed. The state need not be kept again while this number is the same."""
        return self._changes

    @property
    def revocations(self) -> int:
        """How often an alarm has been raised, those that were restored included."""
        return self._revocations

    def observe_attempt(self, client: str, rejected: bool) -> None:
        """Take in whether the checker finds a wrong step in a first attempt."""
        self._observe(self._attempts, client, rejected)

    def observe_answer(self, client: str, error_tolerance: float | None, wrong: bool) -> None:
        """Take in whether an answer that was promised with this tolerance is wrong. Others are left out."""
        if error_tolerance in self._answers:
            self._observe(self._answers[error_tolerance], client, wrong)

    def _observe(self, alarm: SharedAlarm, client: str, wrong: bool) -> None:
        with self._lock:
            self._revocations += alarm.observe(client, wrong)
            self._changes += 1

    def why_revoked(self, client: str, error_tolerance: float) -> str:
        """Why promises of this tolerance are revoked for a client; empty where they hold."""
        with self._lock:
            answers = self._answers[error_tolerance].revoked_for(client)
            attempts = self._attempts.revoked_for(client)
        if answers is not None:
            return f"revoked: of {answers.seen} answers too many were wrong"
        if attempts is None:
            return ""
        whose = "requests" if attempts is self._attempts.common else f"requests of {client}"
        share = f"more than {attempts.epsilon:.1%} had a wrong step"
        return f"revoked: {whose} are unlike the calibration sample (of {attempts.seen} first attempts, {share})"

    def readings(self) -> list[AlarmReading]:
        """Every alarm as it stands: for each subject the common alarm, then those of clients by name."""
        with self._lock:
            return [
                reading
                for tolerance, alarm in self._by_tolerance()
                for reading in (
                    _reading(tolerance, None, alarm.common, alarm.given),
                    *(_reading(tolerance, client, own, {}) for client, own in sorted(alarm.own.items())),
                )
            ]

    def reset(self, client: str | None = None) -> None:
        """Let the alarms of a client begin anew, or the common ones, where no client is named."""
        with self._lock:
            for _, alarm in self._by_tolerance():
                alarm.reset(client)
            self._changes += 1

    def state(self) -> dict[str, Any]:
        """The whole state as plain values that JSON keeps exactly."""
        with self._lock:
            answers = {repr(tolerance): alarm.state() for tolerance, alarm in self._answers.items()}
            return {"attempts": self._attempts.state(), "answers": answers}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Raises `InputError`, and changes nothing, for what is no state of these alarms."""
        restored = Alarms(self._attempts.common.epsilon, self._answers)
        try:
            if state["answers"].keys() != {repr(tolerance) for tolerance in self._answers}:
                raise InputError("state of the alarms: it belongs to other promises")
            restored._attempts.restore(state["attempts"])
            for tolerance, alarm in restored._answers.items():
                alarm.restore(state["answers"][repr(tolerance)])
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"state of the alarms: {error!r}; attempts and answers are needed") from None
        with self._lock:
            self._attempts, self._answers = restored._attempts, restored._answers
            self._revocations += sum(alarm.revoked for alarm in self._every())

    def _every(self) -> list[DriftAlarm]:
        """Those of clients included."""
        return [each for _, alarm in self._by_tolerance() for each in (alarm.common, *alarm.own.values())]

    def _by_tolerance(self) -> list[tuple[float | None, SharedAlarm]]:
        return [(None, self._attempts), *self._answers.items()]


def _reading(
    tolerance: float | None, client: str | None, alarm: DriftAlarm, given: Mapping[str, float]
) -> AlarmReading:
    shares = {name: evidence / alarm.limit for name, evidence in sorted(given.items())}
    return AlarmReading(tolerance, client, alarm.seen, alarm.evidence / alarm.limit, alarm.revoked, shares)
