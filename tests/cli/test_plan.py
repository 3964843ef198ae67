"""`tuili plan` shows tables or JSON, and refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tuili.cli.app import main
from tuili.cli.planned import told_bytes


def test_a_plan_is_shown_and_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["plan", "factorise", "--from", "nano", "--keep", "0.5", "--tokens", "1e9", "--tokens-per-second", "1e4"]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "factorise nano, the shipped model nano: no weights, built on the meta device" in shown
    assert "reasoning.*.moe.experts.gate_up_proj" in shown
    assert "fp32, adamw" in shown
    assert "healing tokens: about 1e+09: as given" in shown
    assert "time: about 27.8 hours" in shown
    assert main([*given, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["after"]["total"] <= 0.5 * document["before"]["total"]
    assert document["ranks"]["reasoning.0.moe.experts.down_proj"] % 8 == 0
    assert document["memory"][0]["total"] > 0
    assert document["recovery"]["tokens"] == 1e9


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (300, "300 bytes"),
        (3000, "3 kB"),
        (17.68e6, "17.7 MB"),
        (999.9e6, "1 GB"),
        (999.8e9, "1 TB"),
        (9.6e15, "9.6 PB"),
    ],
)
def test_bytes_are_told_in_the_unit_that_fits(count: float, told: str) -> None:
    assert told_bytes(int(count)) == told


def test_changes_are_shares_of_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "factorise", "--from", "nano", "--keep", "0.5", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert main(["plan", "factorise", "--from", "nano", "--keep", "0.5"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("parameters "))
    was, now = plan["before"]["total"], plan["after"]["total"]
    assert row.split()[1:] == [f"{was:,}", f"{now:,}", f"{100 * (now / was - 1):+.1f}%"]


def test_whole_numbers_change_the_folder_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quantize", "--from", "7B", "--numbers", "w4a8"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("weights in"))
    assert row.startswith("weights in the folder")
    assert "in bf16" in row
    assert "GB" in row
    assert "TB" not in row


def test_what_cannot_be_planned_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.planning.curve.RECORDS", tmp_path)
    assert "--from '70'" in refusal(capsys, "plan", "prune", "--from", "70")
    assert "sizes go from 1M to 20T" in refusal(capsys, "plan", "prune", "--from", "70K")
    assert "larger than its teacher" in refusal(capsys, "plan", "distil", "--from", "7B", "--to", "70B")
    assert "--divergence 0.1 needs a curve" in refusal(
        capsys, "plan", "distil", "--from", "nano", "--to", "num_groups=1", "--divergence", "0.1"
    )


def test_experts_of_processes_are_shown_and_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["plan", "train", "r1-7b-experts", "--nproc", "32"]
    assert main(given) == 0
    shown = capsys.readouterr().out
    assert "built on the meta device: 32 processes, of which 8 divide the experts of each layer, and 4 the" in shown
    (row,) = (line for line in shown.splitlines() if line.startswith("1, 9, 17, 25 "))
    assert row.split()[4:7] == ["2", "to", "3"]
    assert main([*given, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["holdings"][9]["experts"] == [2, 3]
    most = max(document["holdings"][rank]["parameters"] for rank in (1, 9, 17, 25))
    assert f"{most:,}" == row.split()[7]
    assert document["planned"]["tokens"] > document["gathered"]["tokens"] == 0


def test_experts_that_cannot_be_divided_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "plan", "train", "r1-7b-experts", "--nproc", "4")
    assert "train.dist.expert_parallel = 8: 4 processes cannot be divided by it evenly" in line
