"""`POST /v1/feedback`: what people thought of an answer. Feedback is counted and, if there is a file for it, kept for
training.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from starlette.requests import Request as HttpRequest

from tuili.errors import InputError
from tuili.serve.monitoring.metrics import Metrics
from tuili.serve.replies import JsonReply
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas.fields import Name, StrictModel
from tuili.serve.schemas.replies import FeedbackTaken
from tuili.serve.schemas.rules import all_of, at_least_one_text

LOG = logging.getLogger(__name__)
MAX_TEXT_CHARS = 4_000
MAX_FILE_BYTES = 100_000_000
"""The maximum size of the file. It is bounded because whoever may ask questions may also fill it."""


class Feedback(StrictModel):
    """A thumb, a correction, or both; `id` is that of the answer."""

    model_config = ConfigDict(json_schema_extra=all_of(at_least_one_text("thumb", "correction")))

    id: Annotated[str, Field(pattern=r"^(chatcmpl|cmpl|resp)[-_][0-9a-f]{32}$")]
    model: Name | None = None
    thumb: Literal["up", "down"] | None = None
    correction: Annotated[str, Field(min_length=1, max_length=MAX_TEXT_CHARS)] | None = None
    prompt: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None

    @model_validator(mode="after")
    def _check_fields(self) -> Feedback:
        if self.thumb is None and self.correction is None:
            raise ValueError("thumb or correction: give at least one of them")
        return self


class FeedbackFile:
    """A file of JSON lines to which feedback is appended, up to `max_bytes`; without a path nothing is kept.

    Raises `InputError` if the file cannot be written.
    """

    def __init__(self, path: Path | None, max_bytes: int = MAX_FILE_BYTES) -> None:
        self._path, self._max_bytes, self._lock = path, max_bytes, asyncio.Lock()
        if path is not None:
            try:
                with path.open("ab+") as file:
                    if file.tell() and (file.seek(-1, 2), file.read(1))[1] != b"\n":
                        file.write(b"\n")  # so that a line that was cut off by an interruption stays on its own
            except OSError as error:
                raise InputError(f"{path}: feedback cannot be kept there: {error.strerror}") from None

    async def append(self, line: dict[str, object]) -> bool:
        """Append a line. Returns whether there is a file with room for it."""
        text = json.dumps(line, ensure_ascii=False) + "\n"
        async with self._lock:
            return await asyncio.to_thread(self._write, text.encode())

    def _write(self, line: bytes) -> bool:
        if self._path is None:
            return False
        with self._path.open("ab") as file:
            if file.tell() + len(line) > self._max_bytes:
                LOG.error("%s is full: feedback is counted, but no longer kept", self._path)
                return False
            file.write(line)
        return True


async def feedback(body: Feedback, http: HttpRequest) -> JsonReply:
    """Feedback is counted for Prometheus, and kept if the server was given a file for it."""
    http.state.caller.charge()
    metrics: Metrics = http.app.state.metrics
    model = body.model if body.model in http.app.state.models.names else "unknown"
    for verdict in ([body.thumb] if body.thumb else []) + (["correction"] if body.correction else []):
        metrics.feedback.labels(model, verdict).inc()
    caller = http.state.caller.name
    line = {"time": time.time(), "caller": caller, **body.model_dump(exclude_none=True)}
    kept = await http.app.state.feedback.append(line)
    reply: FeedbackTaken = {"id": body.id, "status": "kept" if kept else "counted"}
    return JsonReply(reply, 202)


ROUTES = (ApiRoute("POST", "/v1/feedback", feedback, "Say what an answer was worth", Feedback),)
