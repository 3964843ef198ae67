"""One of the servers counts and the other does not, and both answer."""

from __future__ import annotations

import asyncio

from benchmarks import metrics_cost


def test_one_server_counts_and_the_other_does_not():
    with metrics_cost.bare() as server:
        processor, wall = asyncio.run(metrics_cost.ask(server, ["What is 2 + 2?"] * 4, clients=2, scraped=True))
        assert processor > 0
        assert wall > 0
        told = server.metrics()
    assert sum(value for name, value in told.items() if name.endswith(("_total", "_count"))) == 0
    assert told["tuili_ready"] == 1
