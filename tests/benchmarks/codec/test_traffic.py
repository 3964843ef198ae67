"""The benchmark of traffic: the interface of a namespace counts what is sent, and shares are of the right baseline."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.codec import namespace, traffic
from benchmarks.codec.namespace import NoNamespace, bytes_sent_by, why_failed
from benchmarks.codec.traffic import saved
from benchmarks.harness import cells
from tuili.config import load_recipe
from tuili.train import Recipe

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
    figures = saved(tuple(sent), (2, 4), 2, lambda form, processes, number: sent[form] * processes)
    assert figures["3bit_by_2"].runs == [80, 80]
    assert figures["3bit_by_4_less_than_fp32"].runs == [0.9, 0.9]
    assert figures["3bit_by_4_less_than_fp16"].runs == [0.8, 0.8]
    assert "fp32_by_2_less_than_fp32" not in figures
    assert len(figures) == 2 * (3 + 2 + 2)


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [(1, "first\nno space\n", "no space"), (3, "", "exit code 3"), (-9, " \n", "killed by SIGKILL")],
)
def test_a_command_that_fails_without_a_word_is_told_by_its_end(code: int, said: str, reason: str) -> None:
    assert why_failed(subprocess.CalledProcessError(code, ["tuili"], stderr=said)) == reason


@pytest.mark.parametrize("form", traffic.FORMS)
def test_every_form_is_one_that_a_recipe_takes(form: str) -> None:
    changes = (
        "optimizer.kind=adamw",
        f"train.dist={{backend: ddp, gradients: {{{traffic.FORMS[form]}}}}}",
    )
    gradients = load_recipe("nano", changes, Recipe).train.dist.gradients
    assert form.startswith(gradients.form)
    assert (gradients.rotate, gradients.keep_errors is not None) == ("rotated" in form, "kept" in form)
    assert gradients.precondition == ("preconditioned" in form)


def test_a_run_that_was_counted_is_kept_and_the_others_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shorter run of PowerSGD ends behind its plain steps."""
    asked, fails_at = list[list[str]](), 5

    def counted(command: Sequence[str]) -> int:
        if len(asked) == fails_at:
            raise subprocess.CalledProcessError(1, command, stderr="")
        asked.append([change for change in command if change.startswith("train.steps")])
        return 1000 * len(asked)

    monkeypatch.setattr(traffic, "Cells", lambda name, setting: cells.Cells(name, setting, tmp_path))
    monkeypatch.setattr(traffic, "bytes_sent_by", counted)
    given = {"forms": ("fp32", "powersgd"), "processes": (2,), "runs": 2}
    with pytest.raises(SystemExit, match=r"^traffic: a run has failed: exit code 1$"):
        traffic.measure(**given)
    fails_at = -1
    _, figures = traffic.measure(**given)
    assert figures["fp32_by_2"].runs == [100, 100]
    until = [int(change.rpartition("=")[2]) for (change,) in asked]
    assert until == [2, 12, 12, 22, 2, 2, 12, 12, 22]
