"""The benchmark of restarts counts whole answers, and only those."""

from __future__ import annotations

import os
import signal

from benchmarks.serving import restarts

CLIENTS = 24
"""More than are answered together, so that some are in flight when the last one has come in."""


def test_nothing_in_flight_is_lost():
    config, figures = restarts.measure(restarts=1, clients=CLIENTS, tokens=40)
    assert config["clients"] == CLIENTS
    assert 0 < figures["in_flight"].median <= CLIENTS
    assert figures["lost"].median == 0
    assert figures["late_refused"].median > 0
    assert figures["late_cut"].median == 0


def test_a_server_that_is_killed_loses_what_is_in_flight(monkeypatch):
    monkeypatch.setattr(restarts, "tuili_server", _killed(restarts.tuili_server))
    _, figures = restarts.measure(restarts=1, clients=CLIENTS, tokens=40)
    assert figures["lost"].median > 0


def _killed(make):
    """A server that ends at once, and says that all was well."""

    def killed():
        server = make()
        server.process.send_signal = lambda _: os.kill(server.process.pid, signal.SIGKILL)
        wait = server.process.wait
        server.process.wait = lambda *arguments: wait(*arguments) and 0
        return server

    return killed
