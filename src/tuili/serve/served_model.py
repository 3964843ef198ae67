"""A model that a server has loaded. The routes read from an engine only through it. Answering is left to
`tuili.engine`, loading and finding to `models`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from stat import S_ISREG

from tuili.engine import AlarmReading, Engine, Event, Observation, PreparedRequest, Request, Service
from tuili.serve.audit import AuditedAnswer
from tuili.store import Conversation

MAX_CHARACTERS_IN_LOOP = 200
"""Maximum characters of a prompt that is prepared faster than a thread can be called: some 0.2 ms."""
FolderStamp = tuple[tuple[str, int, int], ...]
"""The files of a folder: path, size in bytes, and time of the last change in nanoseconds."""


def folder_stamp(folder: Path) -> FolderStamp:
    """The current files of a folder. Two stamps differ if a file has changed. A file that vanishes in the meantime is
    left out.
    """
    files = []
    for file in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            status = file.stat()
            if S_ISREG(status.st_mode):
                files.append((str(file.relative_to(folder)), status.st_size, status.st_mtime_ns))
    return tuple(files)


@dataclass
class ServedModel:
    """A loaded model with its engine. stamp: its folder at loading. created: the time of loading, in Unix seconds."""

    name: str
    path: Path
    service: Service
    engine: Engine
    stamp: FolderStamp
    created: int = field(default_factory=lambda: int(time.time()))
    _told_revocations: int = field(default=0, init=False)

    @property
    def alive(self) -> bool:
        """Whether it accepts requests."""
        return self.service.alive

    @property
    def exits(self) -> list[int]:
        """The numbers of layers after which a token may exit."""
        return list(self.engine.exits)

    @property
    def conversation(self) -> Conversation:
        """What the model was trained on: single questions or conversations."""
        return self.engine.conversation

    @property
    def chat_template(self) -> str:
        """The text of its chat template; empty for a model of steps."""
        return self.engine.chat_template

    @property
    def prose(self) -> bool:
        """Whether the model writes prose, and reads messages through its own chat template."""
        return self.engine.prose

    @property
    def waiting(self) -> int:
        """Attempts that wait for a slot."""
        return self.engine.scheduler.waiting

    @property
    def running(self) -> int:
        """Attempts that have a slot."""
        return self.engine.scheduler.running

    @property
    def slots(self) -> int:
        """Attempts that can be decoded together."""
        return self.engine.slots

    @property
    def alarms(self) -> list[AlarmReading]:
        """The alarms that watch its promises; none for a model that is not calibrated."""
        alarms = self.engine.promises.alarms
        return [] if alarms is None else alarms.readings()

    @property
    def calibration(self) -> str:
        """The hash of the calibration on which its promises are based; empty if it has none."""
        return self.engine.promises.calibration_hash

    @property
    def has_new_revocations(self) -> bool:
        """Whether any alarm has been raised since the last call of `new_revocations`."""
        alarms = self.engine.promises.alarms
        return alarms is not None and alarms.revocations != self._told_revocations

    def new_revocations(self) -> list[AlarmReading]:
        """The alarms that are raised, if any has been raised since the last call."""
        if not self.has_new_revocations or self.engine.promises.alarms is None:
            return []
        self._told_revocations = self.engine.promises.alarms.revocations
        return [reading for reading in self.alarms if reading.revoked]

    def reset_alarms(self, client: str | None) -> None:
        """Restart the alarms of a client, or the common ones; see `Alarms.reset`."""
        if self.engine.promises.alarms is not None:
            self.engine.promises.alarms.reset(client)

    def observe_judged(self, audited: AuditedAnswer, right: bool) -> bool:
        """Report to the alarms whether an answer was right. Returns false if the calibration has changed since."""
        if audited.calibration != self.calibration:
            return False
        self.engine.promises.observe_judged(audited.answer, right, audited.client)
        return True

    async def prepare(self, request: Request) -> PreparedRequest:
        """The request with its prompt as tokens; see `Engine.prepare`. A long prompt is prepared in another thread;
        for a short one, that would take longer.
        """
        length = len(request.prompt) + sum(map(len, chain.from_iterable(request.earlier)))
        length += sum(len(message["content"]) for message in request.messages)
        if length <= MAX_CHARACTERS_IN_LOOP and request.prompt_ids is None and request.grammar is None:
            return self.engine.prepare(request)
        return await asyncio.to_thread(self.engine.prepare, request)

    def batches(self, prepared: PreparedRequest) -> AsyncGenerator[list[Event], None]:
        """The events of a prepared request; see `Service.batches`."""
        return self.service.batches(prepared)

    async def observe(self) -> Observation | None:
        """The activity of experts and attention heads since the last call; None if nothing ran."""
        return await self.service.observe()

    async def close(self) -> None:
        """Stop the engine. Requests that it is still answering are cancelled."""
        await self.service.__aexit__(None, None, None)
