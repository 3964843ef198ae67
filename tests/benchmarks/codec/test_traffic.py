"""The benchmark of traffic: the interface of a namespace counts what is sent, and shares are of the right baseline."""

from __future__ import annotations

import sys

import pytest

from benchmarks.codec import namespace
from benchmarks.codec.namespace import NoNamespace, bytes_sent_by
from benchmarks.codec.traffic import saved

SENDING = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    with socket.create_connection(server.getsockname()) as ours, server.accept()[0] as theirs:
        for _ in range(int(sys.argv[1])):
            ours.sendall(bytes(10**5))
            assert len(theirs.recv(10**5, socket.MSG_WAITALL)) == 10**5
"""


def test_the_interface_counts_what_is_sent() -> None:
    if reason := namespace.refusal():
        pytest.skip(reason)
    few, many = (bytes_sent_by([sys.executable, "-c", SENDING, str(times)]) for times in (2, 12))
    assert 10**6 < many - few < 1.1 * 10**6


def test_without_namespaces_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "ENTER", ("sh", "-c", "echo not here >&2; exit 1"))
    with pytest.raises(NoNamespace, match=r"^no network namespace: not here$"):
        bytes_sent_by(["true"])
    monkeypatch.setattr(namespace, "ENTER", ("/no/such/program",))
    with pytest.raises(NoNamespace, match=r"^no network namespace: /no/such/program is missing$"):
        bytes_sent_by(["true"])


def test_shares_are_of_the_same_number_of_processes() -> None:
    sent = {"fp32": 400.0, "fp16": 200.0, "3bit": 40.0}
    figures = saved(tuple(sent), (2, 4), 2, lambda form, processes: sent[form] * processes)
    assert figures["3bit_by_2"].runs == [80, 80]
    assert figures["3bit_by_4_less_than_fp32"].runs == [0.9, 0.9]
    assert figures["3bit_by_4_less_than_fp16"].runs == [0.8, 0.8]
    assert "fp32_by_2_less_than_fp32" not in figures
    assert len(figures) == 2 * (3 + 2 + 2)
