"""Figures of right and wrong answers: shares, paired and unpaired differences, and their intervals."""

from __future__ import annotations

import pytest

from benchmarks.harness.shares import paired, share, unpaired


def test_a_share_stands_within_its_interval() -> None:
    figures = {name: figure.median for name, figure in share("en", [True] * 3 + [False]).items()}
    assert figures["en_accuracy"] == 0.75
    assert figures["en_n"] == 4
    assert 0 < figures["en_low95"] < 0.75 < figures["en_high95"] < 1
    assert set(share("en", [True], "proven")) == {"en_proven", "en_low95", "en_high95", "en_n"}
    assert share("en", []) == {}


def test_a_difference_over_the_same_problems_has_the_narrower_interval() -> None:
    one, other = [True] * 60 + [False] * 40, [True] * 50 + [False] * 50
    figures = {name: figure.median for name, figure in (paired("p", one, other) | unpaired("u", one, other)).items()}
    assert figures["p"] == pytest.approx(10)
    assert figures["u"] == pytest.approx(10)
    assert figures["p_high95"] - figures["p_low95"] < figures["u_high95"] - figures["u_low95"]
    assert paired("p", [], []) == unpaired("u", [True], []) == {}


def test_the_unpaired_interval_is_that_of_the_paper() -> None:
    """Newcombe 1998, table II, method 10, example (a): 56/70 and 48/80."""
    figures = unpaired("u", [True] * 56 + [False] * 14, [True] * 48 + [False] * 32)
    assert figures["u"].median == pytest.approx(20)
    assert figures["u_low95"].median == pytest.approx(5.24, abs=0.005)
    assert figures["u_high95"].median == pytest.approx(33.39, abs=0.005)
