"""The benchmark of equal losses: every figure is there, and both forms are equal where nothing is rounded to bf16."""

from __future__ import annotations

import pytest

from benchmarks.training import equality
from benchmarks.training.equality import measure


def test_losses_of_both_forms_are_compared_step_by_step(
    small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equality, "can_compile", lambda *_: False)  # compiling takes longer than all the rest
    kept = tuple(change for change in small if not change.startswith(("train.precision", "data.levels")))
    _, figures = measure(steps=3, precisions=("fp32",), texts=("short",), overrides=kept)
    names = {"at_once", "apart", "nudged", "loss", "at_once_most", "apart_most", "nudged_most"}
    assert set(figures) == {f"fp32_short_{name}" for name in names}
    assert len(figures["fp32_short_at_once"].runs) == 3
    assert max(figures["fp32_short_at_once"].runs) < 1e-5 < min(figures["fp32_short_loss"].runs)
    assert max(figures["fp32_short_apart"].runs) < 1e-4
