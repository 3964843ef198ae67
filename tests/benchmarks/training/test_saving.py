"""The benchmark of saving: every figure is there, and a checkpoint has the weights with their two moments."""

from __future__ import annotations

from benchmarks.training.saving import WAYS, measure


def test_windows_with_and_without_saving_take_turns(small: tuple[str, ...]) -> None:
    _, figures = measure(steps=2, rounds=3, threads=1, overrides=small)
    assert set(figures) == {
        *(f"{way}_seconds" for way in WAYS),
        *(f"{way}_cost" for way in WAYS[1:]),
        "held_up",
        "parameters",
        "checkpoint",
    }
    assert all(len(figures[f"{way}_seconds"].runs) == 3 for way in WAYS)
    assert min(figures["held_up"].runs) > 0
    assert figures["checkpoint"].median > 12 * figures["parameters"].median
