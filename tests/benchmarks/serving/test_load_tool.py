"""A report of guidellm is read, and one that is missing is an error."""

from __future__ import annotations

import pytest

from benchmarks.serving import load_tool
from tuili.errors import TuiliError


def test_a_report_is_read_in_our_units():
    cuts = {"successful": {"percentiles": {"p50": 0.5, "p90": 0.9}}}
    metrics = {"request_totals": {"successful": 30}, "request_latency": cuts, "time_to_first_token_ms": cuts}
    figures = load_tool.read_report({"benchmarks": [{"duration": 10.0, "metrics": metrics}]})
    assert figures == {"answers_per_second": 3.0, "first_p50": 0.5, "whole_p50": 500.0, "whole_p90": 900.0}


def test_a_tool_that_fails_is_an_error(tmp_path):
    command = tmp_path / "guidellm"
    command.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    command.chmod(0o755)

    class Nowhere:
        url = "http://127.0.0.1:9"

    with pytest.raises(TuiliError, match="guidellm has failed: broken"):
        load_tool.seen_by_guidellm(Nowhere(), ["2 + 2"], 1.0, 1.0, command)
