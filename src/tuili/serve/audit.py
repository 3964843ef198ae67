"""Promised answers for judging: a random sample of those that were given since the last draw.

Which answers are drawn does not depend on whether they are right, which the alarm on wrong answers needs. Memory is
bounded, and nothing is written to a disk.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from tuili.engine import Answer, is_promised
from tuili.serve.ids import new_id

MAX_SAMPLE = 64
"""Answers in the sample of one model."""
MAX_WAITING = 1024
"""Answers that wait for a judgement; the oldest is given up for a newer one."""


@dataclass(frozen=True)
class AuditedAnswer:
    """A promised answer. client: who got it, "" where everybody is the same. calibration: the hash of the calibration
    that promised it.
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
    """The samples of all models. `chance` draws; by default nobody can foresee what."""

    def __init__(self, enabled: bool = True, chance: random.Random | None = None) -> None:
        self._enabled, self._chance = enabled, chance or random.SystemRandom()
        self._samples: defaultdict[str, _Sample] = defaultdict(_Sample)
        self._waiting: dict[str, AuditedAnswer] = {}

    def offer(self, model: str, client: str, calibration: str, answer: Answer) -> None:
        """Let an answer take part in the next draw. Answers without a promise are left out."""
        if not self._enabled or not is_promised(answer):
            return
        sample = self._samples[model]
        sample.seen += 1
        place = len(sample.answers) if sample.seen <= MAX_SAMPLE else self._chance.randrange(sample.seen)
        if place < MAX_SAMPLE:
            audited = AuditedAnswer(f"audit-{new_id()}", model, client, calibration, answer)
            sample.answers[place : place + 1] = [audited]

    def draw(self, model: str, count: int) -> list[AuditedAnswer]:
        """At most `count` answers of a model, drawn at random from those since the last draw. They wait for `take`."""
        sample = self._samples.pop(model, _Sample())
        drawn = self._chance.sample(sample.answers, min(count, len(sample.answers)))
        self._waiting |= {audited.id: audited for audited in drawn}
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return drawn

    def take(self, audit_id: str) -> AuditedAnswer | None:
        """An answer that waits for a judgement, once; None for an unknown one."""
        return self._waiting.pop(audit_id, None)
