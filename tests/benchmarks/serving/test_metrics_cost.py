"""Signals switch the metrics of a server on and off; it answers either way."""

from __future__ import annotations

import asyncio
import signal

import pytest

from benchmarks.serving import metrics_cost


@pytest.mark.trials
def test_signals_switch_the_metrics():
    def counted(number):
        before = server.metrics().get("tuili_token_depth_layers_count", 0)
        server.process.send_signal(number)
        server.metrics()  # answered by the thread that takes the signal, and so after it
        processor, wall = asyncio.run(metrics_cost.ask(server, ["What is 2 + 2?"] * 4, 2, metrics_cost.Scraper(server)))
        assert processor > 0
        assert wall > 0
        server.process.send_signal(signal.SIGUSR1)
        server.metrics()
        return server.metrics()["tuili_token_depth_layers_count"] - before

    with metrics_cost.switchable_server() as server:
        assert counted(signal.SIGUSR1) > 0
        assert counted(signal.SIGUSR2) == 0
        assert counted(signal.SIGUSR1) > 0
