"""`tuili bench serve`: what it tells is what the server did."""

from __future__ import annotations

import json

import pytest

from tests.serve.conftest import Running
from tuili.bench.load import Asked, LoadSettings, report
from tuili.cli.app import main
from tuili.errors import InputError


@pytest.mark.parametrize("loop", [["--clients", "3"], ["--rate", "20"]])
def test_it_adds_up(server: Running, loop: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    served = server.app.state.metrics.outcomes
    before = sum(sample.value for sample in served.collect()[0].samples)
    assert main(["bench", "serve", server.url, *loop, "--seconds", "1.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    after = sum(sample.value for sample in served.collect()[0].samples)
    assert found["by_status"] == {"200": found["asked"]}
    assert found["asked"] == after - before >= sum(found["by_outcome"].values()) > 0
    assert 0 < found["first_ms"]["p50"] <= found["first_ms"]["p99"] <= found["whole_ms"]["p99"]
    assert found["tokens_per_second"] > found["answers_per_second"] >= found["good_per_second"]


def test_what_is_good_is_counted() -> None:
    settings = LoadSettings("http://x", "m", seconds=2.0, first_ms=100, whole_ms=1000)
    asked = [
        Asked(200, 0.5, 1.0, 0.05, 10, "answered"),
        Asked(200, 0.5, 1.0, 0.2, 10, "answered"),
        Asked(200, 2.0, 1.0, 0.05, 10),
        Asked(429, 0.01),
        Asked(200, 0.5, 9.0, 0.05, 10),
    ]
    found = report(settings, asked)
    assert (found["answers_per_second"], found["good_per_second"], found["tokens_per_second"]) == (1.5, 0.5, 15)
    assert found["by_status"] == {"200": 4, "429": 1}, "the last one came too late to count"


def test_what_cannot_be_measured_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "serve", "http://127.0.0.1:9", "--seconds", "0.3"]) == 1
    assert "nobody answers" in capsys.readouterr().err
    for wrong in ({"clients": 1, "rate": 2.0}, {"clients": None}, {"clients": 0}, {"seconds": 0.0}):
        with pytest.raises(InputError):
            LoadSettings("http://x", "m", **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give one such as"):
        LoadSettings("ftp://x", "m")
