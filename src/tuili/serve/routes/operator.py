"""`/v1/operator/…`: routes that only keys of the role operator may use. They show and restart the alarms, draw
promised answers, and take judgements of them.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated

from pydantic import Field
from starlette.requests import Request as HttpRequest

from tuili.serve.answers import receipt
from tuili.serve.audit import MAX_SAMPLE, Audit, AuditedAnswer
from tuili.serve.errors import HttpError
from tuili.serve.keys import ANONYMOUS, Caller
from tuili.serve.models import ModelRegistry
from tuili.serve.replies import JsonReply
from tuili.serve.routes.api_route import ApiRoute
from tuili.serve.schemas.fields import WHOLE_NUMBER, Name, StrictModel
from tuili.serve.schemas.operator_replies import AlarmList, AlarmReply, AuditDraw, AuditedReply, JudgementTaken
from tuili.serve.served_model import ServedModel

LOG = logging.getLogger(__name__)


def require_operator(http: HttpRequest) -> None:
    """Raise `HttpError` for a caller who is no operator."""
    caller: Caller = http.state.caller
    if not caller.operator:
        raise HttpError(
            403, "this needs a key of the role operator: tuili serve --new-key NAME --operator", "operator_needed"
        )


class AlarmReset(StrictModel):
    """Which alarms to restart: those of one key, or the common ones if no key is named."""

    model: Name
    key: Name | None = None


class AuditRequest(StrictModel):
    """The maximum number of promised answers to draw."""

    model: Name
    count: Annotated[int, Field(ge=1, le=MAX_SAMPLE), WHOLE_NUMBER] = 1


class Judgement(StrictModel):
    """Whether an answer that was drawn is right."""

    right: bool


async def alarms(http: HttpRequest) -> JsonReply:
    """All alarms of all models that are loaded: the evidence against each promise, and who gave it."""
    models: ModelRegistry = http.app.state.models
    reply: AlarmList = {"object": "list", "data": [row for served in models.loaded for row in _alarm_replies(served)]}
    return JsonReply(reply)


async def reset(body: AlarmReset, http: HttpRequest) -> JsonReply:
    """Promises that these alarms had revoked are made again. Returns the alarms as they were before."""
    models: ModelRegistry = http.app.state.models
    served = models.find(body.model)
    http.state.model = served.name
    before = [row for row in _alarm_replies(served) if row["key"] == body.key]
    if not before:
        whose = "is not calibrated: it has no alarms" if body.key is None else f"has no alarm of the key {body.key!r}"
        raise HttpError(404, f"model {served.name!r} {whose}", "alarm_not_found", "key" if body.key else "model")
    LOG.warning("%s lets the alarms of %s begin anew: %s", http.state.caller.name, served.name, body.key or "common")
    served.reset_alarms(body.key)
    await models.keep_alarms(served)
    reply: AlarmList = {"object": "list", "data": before}
    return JsonReply(reply)


async def draw(body: AuditRequest, http: HttpRequest) -> JsonReply:
    """A random sample of the promised answers since the last draw. Judge every one of them."""
    served = http.app.state.models.find(body.model)
    http.state.model = served.name
    audit: Audit = http.app.state.audit
    drawn = audit.draw(served.name, body.count)
    reply: AuditDraw = {"object": "list", "data": [_audited_reply(audited) for audited in drawn]}
    return JsonReply(reply)


async def judge(body: Judgement, http: HttpRequest) -> JsonReply:
    """Reports the judgement to the alarm on wrong answers. An answer can be judged only once."""
    models: ModelRegistry = http.app.state.models
    audit: Audit = http.app.state.audit
    name: str = http.path_params["name"]
    audited = audit.take(name)
    if audited is None:
        raise HttpError(
            404,
            f"no answer {name[:60]!r} waits for a judgement: it was never drawn, or before a restart, or is judged",
            "audit_not_found",
        )
    served = models.find(audited.model)
    http.state.model = served.name
    if not served.observe_judged(audited, body.right):
        raise HttpError(404, f"model {served.name!r} was calibrated anew since that answer", "audit_not_found")
    await models.keep_alarms(served)
    reply: JudgementTaken = {"id": audited.id, "status": "heard"}
    return JsonReply(reply)


def _alarm_replies(served: ServedModel) -> list[AlarmReply]:
    return [
        {
            "model": served.name,
            "watches": reading.watches,
            "error_tolerance": reading.error_tolerance,
            "key": reading.client,
            "seen": reading.seen,
            "evidence": reading.evidence,
            "revoked": reading.revoked,
            "given": {client or ANONYMOUS: share for client, share in reading.given.items()},
        }
        for reading in served.alarms
    ]


def _audited_reply(audited: AuditedAnswer) -> AuditedReply:
    answer = audited.answer
    return {
        "id": audited.id,
        "model": audited.model,
        "key": audited.client or None,
        "prompt": answer.prompt,
        "answer": answer.answer,
        "receipt": receipt(answer),
    }


_route = partial(ApiRoute, check=require_operator)
ROUTES = (
    _route("GET", "/v1/operator/alarms", alarms, "Show the alarms that watch promises"),
    _route("POST", "/v1/operator/alarms/reset", reset, "Let alarms begin anew", AlarmReset),
    _route("POST", "/v1/operator/audit", draw, "Draw promised answers to judge", AuditRequest),
    _route("POST", "/v1/operator/audit/{name}", judge, "Judge an answer that was drawn", Judgement),
)
