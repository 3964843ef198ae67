"""One alarm over the traffic of several clients, and one alarm for each client.

The common alarm is a single betting game (`drift`) that keeps account of the evidence from each client: the sum of what
the client's answers added to the logarithm of the wealth. Before a client's next answer counts, the bet is made small
enough that the client's sum cannot exceed a tenth of the evidence that revokes. The size of the bet depends only on the
past, so the wealth stays a supermartingale, and the common alarm is still false with probability at most alpha. When it
is raised, at least ten clients have contributed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

from tuili.engine.promises.drift import DriftAlarm
from tuili.errors import InputError

MAX_SHARE = 0.1
"""The maximum share of the revoking evidence that one client can contribute to the common alarm."""


class SharedAlarm:
    """Watches answers of several clients by name. The client "" stands for everybody: its answers count in full, and it
    has no alarm other than the common one. Not thread-safe.
    """

    def __init__(self, epsilon: float) -> None:
        self.common = DriftAlarm(epsilon)
        self.own: dict[str, DriftAlarm] = {}
        """The alarms of individual clients."""
        self.given: dict[str, float] = {}
        """The evidence contributed to the common alarm, by client."""

    def observe(self, client: str, wrong: bool) -> bool:
        """Record one judged answer. Returns whether it raised an alarm."""
        alarms = [self.common]
        if client:
            alarms.append(self.own.setdefault(client, DriftAlarm(self.common.epsilon)))
        quiet = [alarm for alarm in alarms if not alarm.revoked]
        given = self.given.get(client, 0.0)
        most = self.common.limit * MAX_SHARE - given if client else inf
        self.given[client] = given + self.common.observe(wrong, most)
        if client:
            self.own[client].observe(wrong)
        return any(alarm.revoked for alarm in quiet)

    def revoked_for(self, client: str) -> DriftAlarm | None:
        """The alarm that revoked the promise to a client; None if the promise holds."""
        own = self.own.get(client)
        if own is not None and own.revoked:
            return own
        return self.common if self.common.revoked else None

    def reset(self, client: str | None) -> None:
        """Restart the alarm of a client, or the common alarm if no client is named. A client's contribution to the
        common alarm stays until the common alarm is restarted.
        """
        if client is None:
            self.common, self.given = DriftAlarm(self.common.epsilon), {}
        else:
            self.own.pop(client, None)

    def state(self) -> dict[str, Any]:
        """The whole state as plain values that JSON preserves exactly."""
        own = {client: alarm.state() for client, alarm in self.own.items()}
        return {"common": self.common.state(), "own": own, "given": dict(self.given)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state`. Raises `InputError`, and changes nothing, if it is not a state of this alarm."""
        try:
            common = DriftAlarm.restored(state["common"])
            own = {str(client): DriftAlarm.restored(alarm) for client, alarm in state["own"].items()}
            given = {str(client): float(evidence) for client, evidence in state["given"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"state of the alarms: {error!r}; common, own and given are needed") from None
        expected = (self.common.epsilon, self.common.alpha)
        if any((alarm.epsilon, alarm.alpha) != expected for alarm in (common, *own.values())):
            raise InputError("state of the alarms: it belongs to other promises")
        if not all(isfinite(evidence) for evidence in given.values()):
            raise InputError("state of the alarms: evidence must be finite")
        self.common, self.own, self.given = common, own, given
