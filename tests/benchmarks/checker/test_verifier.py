"""The benchmark of the verifier takes the heads of its run as they are, and draws a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.checker.verifier import measure
from tests.posttrain.verifier.test_run import SMALL
from tuili.model import read_verifier
from tuili.posttrain.verifier import own


@pytest.mark.trials
def test_the_recipes_own_head_is_measured_beside_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "trained_domains", lambda experts: ("arithmetic", "tracing"))
    picture = tmp_path / "picture.svg"
    config, figures = measure(
        overrides=tuple(SMALL), seeds=(2,), others=1, folder=str(tmp_path / "run"), picture=str(picture)
    )
    shipped = read_verifier(tmp_path / "run" / "model")
    assert shipped is not None
    assert config["seeds"] == [1, 2]
    for name in ("answer_auroc", "step_ece", "right_kept"):
        first_seed, _ = figures[f"rounds_{name}"].runs
        assert first_seed == shipped.figures[name]
        assert len(figures[f"untrained_{name}"].runs) == len(figures[f"no_own_chains_{name}"].runs) == 1
    assert "without_copied_number_and_wrong_operation_f1_seen" in figures
    assert figures["rounds_f1_held_out"].unit == "F1"
    assert picture.read_text().startswith("<?xml")
    assert picture.stat().st_size < 150_000
