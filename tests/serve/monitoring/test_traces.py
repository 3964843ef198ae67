"""A collector receives a span for every call, in the trace of its caller, without a word of questions or answers."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import openai
import pytest
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.serve.conftest import Running, running
from tests.waiting import happened
from tuili.errors import InputError
from tuili.serve.app import Settings
from tuili.serve.monitoring import traces
from tuili.serve.monitoring.traces import Traces, otlp_traces

QUESTION = "What is 48 + 27 * 3?"
ASKED: Any = [{"role": "user", "content": QUESTION}]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(HTTPServer):
    """A collector that keeps the OTLP bodies that it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.taken: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        assert isinstance(self.server, Collector)
        self.server.taken.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def listening() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def value(attribute: Any) -> Any:
    kind = attribute.WhichOneof("value")
    return [value(part) for part in attribute.array_value.values] if kind == "array_value" else getattr(attribute, kind)


def spans(server: Collector) -> list[Any]:
    return [
        span
        for body in server.taken
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def attributes(span: Any) -> dict[str, Any]:
    return {pair.key: value(pair.value) for pair in span.attributes}


def test_calls_are_told_without_a_word_of_them(listening: Collector) -> None:
    for server in running(Settings(traces=otlp_traces(listening.url + "/"))):
        usage = ask(server)
    chat, several, refused, left, completion = spans(listening)
    values = attributes(chat)
    assert (chat.name, chat.kind, chat.trace_id.hex(), chat.parent_span_id.hex()) == (
        "chat nano",
        chat.SPAN_KIND_SERVER,
        PARENT[3:35],
        PARENT[36:52],
    )
    assert values["gen_ai.operation.name"] == "chat"
    assert values["gen_ai.provider.name"] == "tuili"
    assert values["gen_ai.request.model"] == "nano"
    assert values["gen_ai.request.max_tokens"] == 300
    assert (values["gen_ai.usage.input_tokens"], values["gen_ai.usage.output_tokens"]) == usage
    assert values["gen_ai.response.time_to_first_chunk"] > 0
    assert (values["gen_ai.response.finish_reasons"], values["tuili.outcome"]) == (["stop"], ["answered"])
    assert values["tuili.request_id"] == "mine"
    steps = [{pair.key: value(pair.value) for pair in event.attributes} for event in chat.events]
    assert {step["tuili.verdict"] for step in steps} == {"valid"}
    assert [step["tuili.step"] for step in steps] == list(range(1, len(steps) + 1))
    assert attributes(several)["gen_ai.request.choice.count"] == 2
    assert len(attributes(several)["gen_ai.response.finish_reasons"]) == 2
    assert attributes(refused)["error.type"] == "context_length_exceeded"
    assert refused.status.code == refused.status.STATUS_CODE_ERROR
    assert attributes(left)["tuili.outcome"] == "cancelled"
    assert left.status.code == left.status.STATUS_CODE_UNSET
    assert completion.name == "text_completion nano"
    for body in listening.taken:
        for word in (QUESTION, "27 * 3", "129", "zzz"):
            assert word.encode() not in body


def ask(server: Running) -> tuple[int, int]:
    """Ask a chat, one with two choices, one that is refused, one that is cancelled, and a completion. Returns the
    numbers of tokens of the first one.
    """
    client = server.client()
    first = client.chat.completions.create(
        model="nano",
        messages=ASKED,
        stop="zzz",
        max_tokens=300,
        extra_headers={"traceparent": PARENT, "x-request-id": "mine"},
    )
    client.chat.completions.create(model="nano", messages=ASKED, n=2)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="nano", messages=[{"role": "user", "content": "1 + " * 3000}])
    asyncio.run(leave(server))
    client.completions.create(model="nano", prompt=QUESTION)
    assert first.usage is not None
    return first.usage.prompt_tokens, first.usage.completion_tokens


async def leave(server: Running) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        with server.nothing_written(after=3):
            stream = await client.chat.completions.create(model="nano", messages=ASKED, stream=True)
            await anext(aiter(stream))
            await stream.close()
            await happened(lambda: not server.in_flight(), "nobody notices that the client has left")


def test_a_collector_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="give the URL of a collector"):
        otlp_traces("localhost:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(InputError, match=r"pip install 'tuili\[traces\]'"):
        otlp_traces("http://127.0.0.1:4318")


@pytest.mark.parametrize("listens", [False, True])
def test_a_collector_that_does_not_answer_holds_nothing_up(listens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float] = []

    class Noted(trace_exporter.OTLPSpanExporter):
        def __init__(self, endpoint: str, timeout: float) -> None:
            super().__init__(endpoint, timeout=timeout)
            timeouts.append(timeout)

    monkeypatch.setattr(trace_exporter, "OTLPSpanExporter", Noted)
    monkeypatch.setattr(traces, "EXPORT_TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        otlp = otlp_traces(f"http://127.0.0.1:{silent.getsockname()[1]}")
        for server in running(Settings(traces=Traces(otlp.tracer))):
            completion = server.client().chat.completions.create(model="nano", messages=ASKED)
            assert completion.choices[0].message.content == "129"
        otlp.close()
    assert timeouts == [0.2]
