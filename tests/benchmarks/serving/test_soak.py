"""The soak counts what it says, on a real server."""

from __future__ import annotations

import pytest

from benchmarks.serving import soak


@pytest.mark.trials
def test_every_request_is_accounted_for():
    config, figures = soak.measure(minutes=0.03, rate=7, every=0.2)
    assert config["minutes"] == 0.03
    assert figures["requests"].median > 3
    assert figures["hung_up"].median > 0
    for name in ("lost", "refused", "not_accounted_for", "in_flight_at_the_end"):
        assert figures[name].median == 0, name
    assert 50 < figures["memory_idle"].median < figures["memory"].median + 50
