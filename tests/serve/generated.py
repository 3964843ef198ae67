"""Explores a server with requests that schemathesis makes from its OpenAPI document, right and wrong ones, and collects
what is wrong with the answers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData

from tests.serve.conftest import Running
from tests.serve.replies import check_reply
from tuili.serve.schemas.messages import ASSISTANT_FIELDS

SEED = 7
MAX_EXACT_SEED = 2**53
"""schemathesis compares numbers as floats, and so takes larger seeds for right than the server does."""
QUESTION, MAX_TOKENS, MAX_CHOICES = "\nWhat is 2 + 2?", 40, 3
TOKEN_FIELDS = {
    "messages": ("max_completion_tokens", "max_tokens"),
    "input": ("max_output_tokens",),
    "prompt": ("max_tokens",),
}
"""The fields that limit tokens, by the field that has the question."""
MODEL_DEPENDENT_CODES = {"not_promised", "context_length_exceeded", "invalid_prompt", "invalid_json_schema"}
REFUSED_FIELDS = {
    "depth",
    "messages",
    "input",
    "logit_bias",
    "budget.max_layer_steps",
    "budget.deadline_ms",
    "budget.max_attempts",
    "tools",
    "tool_choice",
}
"""Right requests may be refused with these codes, or for these fields. No schema can express the reasons: what the
model has been calibrated for, its layers, speed and vocabulary, the order of messages, that two names of a limit have
one value, and that exactly one function is forced.
"""


@dataclass
class Explored:
    """The number of answers by operation, mode (`positive` for right requests) and status; and all faults found."""

    statuses: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def share(self, path: str) -> float:
        """The share of right requests to a path that were answered."""
        asked = {key: n for key, n in self.statuses.items() if key[0].endswith(f" {path}") and key[1] == "positive"}
        return sum(n for (_, _, status), n in asked.items() if status < 300) / max(1, sum(asked.values()))

    def by_status(self) -> dict[int, int]:
        counts = Counter[int]()
        for (_, _, status), n in self.statuses.items():
            counts[status] += n
        return dict(sorted(counts.items()))


def explore(
    server: Running, phases: Sequence[str], examples: int, *, key: str = "", only: str = "", rules: bool = True
) -> Explored:
    """Send requests that schemathesis makes, `examples` for each operation whose path matches `only`.

    Three of four right requests are changed so that they can be answered. With `rules` false the rules between fields
    are taken out of the document, because schemathesis cannot cover schemas with several of them; right requests are
    then changed to keep the rules.
    """
    document = json.loads(json.dumps(server.app.openapi()))
    schemas = document["components"]["schemas"]
    for name in ("ChatRequest", "CompletionRequest", "ResponsesRequest"):
        schemas[name]["properties"]["model"]["enum"] = ["nano"]
        schemas[name]["properties"]["seed"]["anyOf"][0]["maximum"] = MAX_EXACT_SEED
        if not rules:
            schemas[name].pop("allOf", None)
    for name in ("AlarmReset", "AuditRequest"):
        schemas[name]["properties"]["model"]["enum"] = ["nano"]
    document["paths"]["/v1/models/{name}"]["get"]["parameters"][0]["schema"]["enum"] = ["nano"]
    authentication: dict[str, Any] = {"auth": {"openapi": {"bearer": {"bearer": key}}}} if key else {}
    config = {
        "seed": SEED,
        "base-url": server.url,
        "continue-on-failure": True,
        "max-stream-events": 1_000_000,
        "request-timeout": 120,
        "output": {"truncation": {"max-recorded-payload-size": 1_000_000_000}},
        "generation": {
            "max-examples": examples,
            "deterministic": True,
            "no-shrink": True,
            "database": "none",
            "with-security-parameters": "coverage" in phases,
        },
        "phases": {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")},
        **authentication,
    }
    schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(config))
    if only:
        schema = schema.include(path_regex=only)

    @schema.hook
    def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
        if isinstance(failure, AcceptedNegativeData):
            seed = case.body.get("seed") if isinstance(case.body, dict) else None
            return not (isinstance(seed, int) and MAX_EXACT_SEED < seed < 2**63)
        return not (isinstance(failure, RejectedPositiveData) and _depends_on_model(response.content))

    explored = Explored()
    with _helped(rules):
        for event in from_schema(schema).execute():
            _note(event, explored)
    return explored


def _depends_on_model(body: bytes) -> bool:
    with suppress(ValueError, KeyError):
        error = json.loads(body)["error"]
        whole = error["param"] or ""
        return error["code"] in MODEL_DEPENDENT_CODES or bool({whole, whole.partition(".")[0]} & REFUSED_FIELDS)
    return False


def _note(event: Any, explored: Explored) -> None:
    """Count the answers of an event, and check each of them."""
    if isinstance(event, events.FatalError):
        raise event.exception
    if isinstance(event, events.NonFatalError):
        explored.wrong.append(f"{event.label}: {event.value}")
    if not isinstance(event, events.ScenarioFinished):
        return
    recorder = event.recorder
    for name, exchange in recorder.interactions.items():
        case, response = recorder.cases[name].value, exchange.response
        if response is None:
            explored.wrong.append(f"{recorder.label}: no answer to {case.as_curl_command()}")
            continue
        mode = case.meta.generation.mode.value if case.meta is not None else "none"
        operation = case.operation.label
        explored.statuses[operation, mode, response.status_code] += 1
        headers = {key: values[0] for key, values in response.headers.items()}
        try:
            if operation.split()[0] == case.method and not (mode == "negative" and response.status_code == 404):
                check_reply(case.method, case.operation.path, response.status_code, headers, response.content)
        except Exception as error:
            explored.wrong.append(f"{operation}: {error!r} in the answer to {case.as_curl_command()}"[:2000])
        for check in recorder.checks.get(name, ()):
            if check.failure_info is not None:
                failure = check.failure_info.failure
                explored.wrong.append(f"{operation}: {check.name}: {failure.message}: {case.as_curl_command()}"[:2000])


@contextmanager
def _helped(rules: bool) -> Iterator[None]:
    """Change right requests so that they can be answered, by what no schema can express."""
    numbers = count()

    def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
        right = case.meta is not None and case.meta.generation.mode.is_positive
        if right and isinstance(case.body, dict):
            case.body = deepcopy(case.body)  # schemathesis goes on from what it has made
            _shorten(case.body)
            if not rules:
                _keep_rules(case.body)
            if next(numbers) % 4:
                _help(case.body)

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def _keep_rules(body: dict[str, Any]) -> None:
    for option, switch in (("top_logprobs", "logprobs"), ("stream_options", "stream")):
        if body.get(option) is not None:
            body[switch] = True
    if (body.get("response_format") or {}).get("type", "text") != "text":
        body["logprobs"] = body["top_logprobs"] = None
    if body.get("max_tokens") == 0:
        body["echo"] = True
    if body.get("max_completion_tokens") is not None:
        body.pop("max_tokens", None)


def _shorten(body: dict[str, Any]) -> None:
    """Limit the length and number of answers, so that thousands of them take minutes."""
    for place, names in TOKEN_FIELDS.items():
        if place in body and "id" not in body:
            limit = next((name for name in names if body.get(name) is not None), names[0])
            body[limit] = min(body.get(limit) or MAX_TOKENS, MAX_TOKENS)
    if isinstance(body.get("prompt"), list) and not isinstance((body["prompt"] or [0])[0], int):
        del body["prompt"][MAX_CHOICES:]
    if body.get("n") is not None:
        body["n"] = min(body["n"], MAX_CHOICES)


def _help(body: dict[str, Any]) -> None:
    """Let messages take turns and the last one ask something, and make the budget one that can be kept."""
    for place in ("messages", "input"):
        if isinstance(messages := body.get(place), list) and messages:
            messages[:] = [turn for turn in messages if turn.get("type", "message") in ("message", "reasoning")]
            spoken = [message for message in messages if message.get("type") != "reasoning"]
            for back, message in enumerate(reversed(spoken)):
                message["role"] = "assistant" if back % 2 else "user"
                if len(spoken) % 2 == 0 and message is spoken[0]:
                    message["role"] = "system"
                message.pop("tool_call_id", None)
                if message["role"] != "assistant":
                    for name in (*ASSISTANT_FIELDS, "tool_calls"):
                        message.pop(name, None)
                if message.get("content") is None:
                    message["content"] = QUESTION
            if not spoken:
                messages.append({"role": "user", "content": QUESTION})
            elif isinstance(last := spoken[-1]["content"], str):
                spoken[-1]["content"] = last + QUESTION
            else:
                last.append({"type": "text", "text": QUESTION})
    body.pop("tool_choice", None)
    body.pop("tools", None)
    budget = body.get("budget", {})
    budget.pop("error_tolerance", None)
    for limit, least in (("deadline_ms", 60_000), ("max_layer_steps", 100)):
        if budget.get(limit) is not None:
            budget[limit] = max(budget[limit], least)
    if isinstance(body.get("depth"), int):
        body["depth"] = (3, 6, 9, 12)[body["depth"] % 4]
