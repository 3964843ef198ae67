"""`tuili bench serve`: what it tells is what the server did."""

from __future__ import annotations

import json

import pytest

from tests.serve.conftest import Running
from tuili.bench import LoadSettings, RequestResult, load_report
from tuili.cli.app import main
from tuili.errors import InputError


@pytest.mark.parametrize("loop", [["--clients", "3"], ["--rate", "20"]])
def test_it_adds_up(server: Running, loop: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    served = server.app.state.metrics.outcomes
    before = sum(sample.value for sample in served.collect()[0].samples)
    assert main(["bench", "serve", server.url, *loop, "--seconds", "1.5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    after = sum(sample.value for sample in served.collect()[0].samples)
    assert report["by_status"] == {"200": report["asked"]}
    assert report["asked"] == after - before >= sum(report["by_outcome"].values()) > 0
    assert 0 < report["first_ms"]["p50"] <= report["first_ms"]["p99"] <= report["whole_ms"]["p99"]
    assert report["tokens_per_second"] >= report["answers_per_second"] >= report["good_per_second"]


def test_what_is_good_is_counted() -> None:
    settings = LoadSettings("http://x", "m", seconds=2.0, first_ms=100, whole_ms=1000)
    results = [
        RequestResult(200, 0.5, 1.0, 0.05, 10, "answered"),
        RequestResult(200, 0.5, 1.0, 0.2, 10, "answered"),
        RequestResult(200, 2.0, 1.0, 0.05, 10),
        RequestResult(429, 0.01),
        RequestResult(200, 0.5, 9.0, 0.05, 10),
    ]
    report = load_report(settings, results)
    assert (report["answers_per_second"], report["good_per_second"], report["tokens_per_second"]) == (1.5, 0.5, 15)
    assert report["by_status"] == {"200": 4, "429": 1}, "the last one came too late to count"


def test_what_cannot_be_measured_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve", "http://127.0.0.1:9", "--seconds", "0.3"]) == 1
    assert "nobody answers" in capsys.readouterr().err
    for wrong in ({"clients": 1, "rate": 2.0}, {"clients": None}, {"clients": 0}, {"seconds": 0.0}):
        with pytest.raises(InputError):
            LoadSettings("http://x", "m", **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give one such as"):
        LoadSettings("ftp://x", "m")
