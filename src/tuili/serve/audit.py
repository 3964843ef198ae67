"""Promised answers to be judged: a random sample of those given since the last draw.

Whether an answer is drawn does not depend on whether it is right; the alarm on wrong answers relies on that. Memory is
bounded, and nothing is written to disk.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from tuili.engine import Answer, is_promised
from tuili.serve.ids import new_id

MAX_SAMPLE = 64
"""Maximum number of answers in the sample of one model."""
MAX_WAITING = 1024
"""Maximum number of answers that wait for a judgement; the oldest is dropped for a newer one."""


@dataclass(frozen=True)
class AuditedAnswer:
    """A promised answer. client: the client that received it, "" for one without a key. calibration: the hash of the
    calibration on which the promise is based.
    """

    id: str
    model: str
    client: str
    calibration: str
    answer: Answer


@dataclass
class _Sample:
    """A uniform sample of `seen` answers (Vitter 1985, algorithm R)."""

    answers: list[AuditedAnswer] = field(default_factory=list)
    seen: int = 0


class Audit:
    """The samples of all models. `chance` is the source of randomness; the default is unpredictable."""

    def __init__(self, enabled: bool = True, chance: random.Random | None = None) -> None:
        self._enabled, self._chance = enabled, chance or random.SystemRandom()
        self._samples: defaultdict[str, _Sample] = defaultdict(_Sample)
        self._waiting: dict[str, AuditedAnswer] = {}

    def offer(self, model: str, client: str, calibration: str, answer: Answer) -> None:
        """Enter an answer for the next draw. Answers without a promise are left out."""
        if not self._enabled or not is_promised(answer):
            return
        sample = self._samples[model]
        sample.seen += 1
        place = len(sample.answers) if sample.seen <= MAX_SAMPLE else self._chance.randrange(sample.seen)
        if place < MAX_SAMPLE:
            audited = AuditedAnswer(f"audit-{new_id()}", model, client, calibration, answer)
            sample.answers[place : place + 1] = [audited]

    def draw(self, model: str, count: int) -> list[AuditedAnswer]:
        """Draw at most `count` answers of a model, at random from those since the last draw. They wait for `take`."""
        sample = self._samples.pop(model, _Sample())
        drawn = self._chance.sample(sample.answers, min(count, len(sample.answers)))
        self._waiting |= {audited.id: audited for audited in drawn}
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return drawn

    def take(self, audit_id: str) -> AuditedAnswer | None:
        """Remove and return an answer that waits for a judgement; None if it is unknown."""
        return self._waiting.pop(audit_id, None)
