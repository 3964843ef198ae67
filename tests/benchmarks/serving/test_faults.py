"""The benchmark of faults counts every end, and its checks can fail."""

from __future__ import annotations

import pytest

from benchmarks.serving import faults
from tuili.serve import RequestMetrics

CHECKS = ("forgotten_or_garbled", "http_not_counted_once", "without_one_end", "in_flight_at_the_end")


def test_every_request_comes_to_one_end():
    config, figures = faults.measure(requests=150, together=16, crash_every=100, seed=1)
    assert config["requests"] == 150
    for name in (*CHECKS, "tokens_charged_but_not_counted", "budget_overruns"):
        assert figures[name].median == 0, name
    assert sum(figure.median for name, figure in figures.items() if name.startswith("end_")) == 150
    assert figures["end_whole: answer"].median > 0
    assert figures["end_leaves_amid_the_stream: left"].median > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_end_that_is_not_counted_shows(monkeypatch):
    monkeypatch.setattr(RequestMetrics, "record_unanswered", lambda *_: None)
    _, figures = faults.measure(requests=60, together=16, crash_every=100, seed=1)
    assert figures["without_one_end"].median > 0


@pytest.mark.parametrize(
    ("response", "end"),
    [
        (b"HTTP/1.1 500 x\r\n\r\n{'not': json}", "garbled"),
        (b"", "garbled"),
        (b'HTTP/1.1 429 x\r\n\r\n{"error": {}}', "error 429"),
        (b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"choices": []}\r\n', "garbled"),
        (b'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"error": 1}\n', "error amid the stream"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: [DONE]\n", "answer"),
    ],
)
def test_what_a_client_read(response, end):
    assert faults.end_of(response) == end
