"""`POST /v1/feedback`: what people thought of an answer, kept as a line of a file for training, if there is one."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field, model_validator

from tuili.errors import InputError
from tuili.serve.metrics import Metrics
from tuili.serve.schemas.replies import FeedbackTaken
from tuili.serve.schemas.requests import Name, Part, given, rules

LOG = logging.getLogger(__name__)
routes = APIRouter()
LONGEST = 4_000
LARGEST = 100_000_000
"""Bytes of a file that takes no more: anybody who may ask may also fill it."""


class Feedback(Part):
    """A thumb, a correction, or both; `id` is that of the answer."""

    model_config = ConfigDict(json_schema_extra=rules(given("thumb", "correction")))

    id: Annotated[str, Field(pattern=r"^(chatcmpl|cmpl|resp)[-_][0-9a-f]{32}$")]
    model: Name | None = None
    thumb: Literal["up", "down"] | None = None
    correction: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    prompt: Annotated[str, Field(max_length=LONGEST)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Feedback:
        if self.thumb is None and self.correction is None:
            raise ValueError("thumb or correction: give at least one of them")
        return self


class FeedbackFile:
    """Lines of JSON, added one after the other, up to `LARGEST` bytes; None keeps nothing.

    Raises `InputError` if it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, asyncio.Lock()
        if path is not None:
            try:
                with path.open("ab+") as file:
                    if file.tell() and (file.seek(-1, 2), file.read(1))[1] != b"\n":
                        file.write(b"\n")  # what an interruption has cut stays a line of its own
            except OSError as error:
                raise InputError(f"{path}: feedback cannot be kept there: {error.strerror}") from None

    async def keep(self, line: dict[str, object]) -> bool:
        """Add a line. Returns whether there was a file with room for it."""
        text = json.dumps(line, ensure_ascii=False) + "\n"
        async with self._lock:
            return await asyncio.to_thread(self._write, text.encode())

    def _write(self, line: bytes) -> bool:
        if self._path is None:
            return False
        with self._path.open("ab") as file:
            if file.tell() + len(line) > LARGEST:
                LOG.error("%s is full: feedback is counted, but no longer kept", self._path)
                return False
            file.write(line)
        return True


@routes.post("/v1/feedback", summary="Say what an answer was worth")
async def feedback(body: Feedback, http: HttpRequest) -> JSONResponse:
    """Counted by Prometheus, and kept where the server was given a file for it."""
    http.state.caller.begin()
    metrics: Metrics = http.app.state.metrics
    model = body.model if body.model in http.app.state.models.names else "unknown"
    for verdict in ([body.thumb] if body.thumb else []) + (["correction"] if body.correction else []):
        metrics.feedback.labels(model, verdict).inc()
    caller = http.state.caller.name
    line = {"time": time.time(), "caller": caller, **body.model_dump(exclude_none=True)}
    kept = await http.app.state.feedback.keep(line)
    told: FeedbackTaken = {"id": body.id, "status": "kept" if kept else "counted"}
    return JSONResponse(told, 202)
