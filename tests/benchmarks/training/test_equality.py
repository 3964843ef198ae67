"""The benchmark of equal losses: every figure is there, and it sees a difference."""

from __future__ import annotations

import pytest

from benchmarks.training.equality import distance, measure


def test_losses_of_both_forms_are_compared_step_by_step(small: tuple[str, ...]) -> None:
    kept = tuple(change for change in small if not change.startswith(("train.precision", "data.levels", "train.rows")))
    _, figures = measure(
        steps=3, precisions=("fp32",), texts=("short",), optimizers=("adamw",), overrides=(*kept, "train.rows=2")
    )
    names = {f"fp32_short_adamw_{what}" for what in ("native", "threads", "loss")}
    assert set(figures) == names
    assert figures["fp32_short_adamw_native"].median < 1e-5 < figures["fp32_short_adamw_loss"].median


def test_the_distance_is_the_largest_of_any_step() -> None:
    assert distance([3.0, 2.5, 1.0], [3.0, 2.0, 1.25]).runs == [pytest.approx(0.5)]
