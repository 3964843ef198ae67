"""Malformed records and hostile files are refused, each with its place and reason, in little memory: a small part of
what the benchmark `hostile` makes.
"""

from __future__ import annotations

import pytest

from benchmarks.hostile.refused import measure


@pytest.mark.trials
def test_hostile_files_and_records_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pyarrow", "resiliparse", "pypdfium2"):
        pytest.importorskip(package)
    config, figures = measure(records=160, files=40, giant=2**26 + 2**24, workers=1)
    medians = {name: figure.median for name, figure in figures.items()}
    assert medians["records_refused"] == medians["records_as_expected"] == 160, config["reasons"]
    assert medians["files_refused"] == medians["files_as_expected"] == config["files"], config["families"]
    assert not any(medians[f"{name}"] for name in ("records_sound_lost", "records_others_refused", "files_silent"))
    assert max(medians["files_leader_peak"], medians["files_worker_peak"]) < 800
