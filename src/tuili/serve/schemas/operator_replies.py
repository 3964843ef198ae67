"""Replies to operators: alarms, and answers to judge."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from tuili.serve.schemas.fields import Count, documented_as
from tuili.serve.schemas.receipts import ReceiptReply


@documented_as("Alarm")
class AlarmReply(TypedDict):
    """One alarm. It revokes the promises of `error_tolerance`, or all promises if that is null, for one key, or for
    everybody if `key` is null.
    """

    model: str
    watches: Annotated[
        Literal["attempts", "confidence", "answers"],
        Field(description="Wrong steps of first attempts, the confidence of first attempts, or judged answers."),
    ]
    error_tolerance: float | None
    key: str | None
    seen: Count
    evidence: Annotated[float, Field(description="As a share of what revokes the promise.")]
    revoked: bool
    given: Annotated[dict[str, float], Field(description="Of the common alarm: the share of each key.")]


class AlarmList(TypedDict):
    """Alarms of models."""

    object: Literal["list"]
    data: list[AlarmReply]


@documented_as("AuditedAnswer")
class AuditedReply(TypedDict):
    """A promised answer to judge. `key` is null if requests need none."""

    id: str
    model: str
    key: str | None
    prompt: str
    answer: str
    receipt: ReceiptReply


class AuditDraw(TypedDict):
    """Promised answers, drawn at random."""

    object: Literal["list"]
    data: list[AuditedReply]


class JudgementTaken(TypedDict):
    """The alarm has received the judgement."""

    id: str
    status: Literal["heard"]
