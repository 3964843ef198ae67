"""The benchmark measures arithmetic lines only, each once a pass."""

from __future__ import annotations

from benchmarks.checker import checker
from tuili.steps import check


def test_the_lines_are_different_and_arithmetic() -> None:
    lines = checker.arithmetic_lines(1)
    assert len(set(lines)) == len(lines) > 250
    assert {check(line).kind for line in lines} == {"arithmetic"}


def test_a_figure_counts_lines_a_second() -> None:
    config, figures = checker.measure(problems=1, runs=2)
    assert config["lines"] == len(checker.arithmetic_lines(1))
    rate = figures["lines_a_second"]
    assert (rate.unit, len(rate.runs)) == ("lines/s", 2)
    assert rate.median > 0
