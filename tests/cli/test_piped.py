"""Where output is no terminal, no line of a table is cut or folded, however long it is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tuili.cli.options import result_console
from tuili.cli.show import show_calibration, show_cells
from tuili.tasks import domain_names

TOLERANCES = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2)


def calibration() -> SimpleNamespace:
    classes = [(steps, tokens) for steps in (1, 2, 4) for tokens in (100, 400)]
    return SimpleNamespace(
        delta=0.05,
        sample=SimpleNamespace(n=1920, fitted=960, calibration_error=0.012, accuracy=0.8),
        curves=[SimpleNamespace(max_steps=steps, max_tokens=tokens) for steps, tokens in classes],
        entries=[
            SimpleNamespace(
                error_tolerance=tolerance, max_steps=steps, max_tokens=tokens, coverage=0.87, wrong=100, n=1000,
                threshold=0.5,
            )
            for steps, tokens in classes
            for tolerance in TOLERANCES
        ],
    )  # fmt: skip


def test_a_piped_table_of_promises_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    show_calibration(result_console(), calibration())  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert "…" not in out
    assert out.count("87% (100 of 1000 wrong)") == 6 * len(TOLERANCES)
    assert all(f"error ≤ {tolerance:g}" in out.splitlines()[1] for tolerance in TOLERANCES)


def test_a_piped_table_of_accuracies_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"domain": domain, "level": level, "accuracy": 0.5, "ci95": (0.404, 0.596), "mean_depth": 4.25}
        for level in range(1, 6)
        for domain in domain_names()
    ]
    mean = {str(level): 0.5 for level in range(1, 6)}
    show_cells(result_console(), {"cells": cells, "mean": mean, "mean_depth": 4.25})
    assert capsys.readouterr().out.count("(0.40 – 0.60)") == len(cells)


def test_a_cell_that_a_file_does_not_have_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"domain": domain, "level": level, "accuracy": 0.5, "ci95": (0.4, 0.6), "mean_depth": 4.0}
        for domain, level in (("own", 1), ("other", 3))
    ]
    show_cells(result_console(), {"cells": cells, "mean": {"1": 0.5, "3": 0.5}, "mean_depth": 4.0})
    own, other = capsys.readouterr().out.splitlines()[1:3]
    assert own.split()[-1] == "–"
    assert other.split()[:2] == ["other", "–"]
