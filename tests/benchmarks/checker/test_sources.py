"""The benchmark counts chains whose numbers are traced, and wrong chains that tracing tells from right ones."""

from __future__ import annotations

import pytest

from benchmarks.checker import sources
from tuili.steps import trace_numbers

PROMPT, RIGHT = "What is 48 + 27 - 3?", ("48 + 27 = 75", "75 - 3 = 72")


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (RIGHT, False),
        (("48 + 27 = 76", "76 - 3 = 73"), False),
        (("48 + 72 = 120", "120 - 3 = 117"), True),
        (("48 + 27 = 75",), True),
    ],
)
def test_a_wrong_chain_is_found_by_numbers_from_nowhere_or_unused_ones(steps: tuple[str, ...], found: bool) -> None:
    assert sources.is_found(trace_numbers(PROMPT, steps), trace_numbers(PROMPT, RIGHT)) is found


def test_figures_are_shares_by_domain_and_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BUILT_IN_DOMAINS", ("word_problems",))
    monkeypatch.setattr(sources, "LEVELS", (2,))
    config, figures = sources.measure(problems=2, mutated=1)
    assert config["chains"] == 2
    assert figures["traced"].median == figures["traced_word_problems"].median == 1
    assert {name for name in figures if name.startswith("found_")} == {
        f"found_{kind}" for kind in config["wrong_chains"]
    }
    assert all(0 <= figure.median <= 1 for figure in figures.values())
