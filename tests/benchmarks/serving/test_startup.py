"""A server that idles holds less than it may, and answers."""

from __future__ import annotations

import pytest

from benchmarks.serving import startup


@pytest.mark.trials
def test_memory_when_idle(monkeypatch):
    monkeypatch.setattr(startup, "IDLE_SECONDS", 0.5)
    _, figures = startup.measure(starts=1, threads=1)
    assert 20 < figures["idle"].median < 250
    assert 20 < figures["idle_after_an_answer"].median < 250
    assert figures["first_answer"].median > 0
    assert figures["ask"].median > 0
