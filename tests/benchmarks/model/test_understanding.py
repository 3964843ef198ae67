"""What a model understands: which prompts are bare, what is asked, and which figures come of the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from benchmarks.model import understanding
from benchmarks.model.understanding import Answered, Asked, chinese_over_english, is_bare, measure, of_set
from tuili.eval import Cell, DepthTrend


@pytest.mark.parametrize(
    "prompt",
    ["48+27-3=?", "8 × (9 - 5) =", "gcd(24,36)", "2x+3=11, x=?", "107 mod 3 = ？", "A -> B, A. B?", "L1: v = 7\nv?"],
)
def test_a_prompt_without_words_is_bare(prompt: str) -> None:
    assert is_bare(prompt)


@pytest.mark.parametrize("prompt", ["Compute 48 + 27.", "求 48 + 27", "1/3 of 183 = ?", "48+27 等于多少", "hail?"])
def test_a_prompt_with_words_is_not_bare(prompt: str) -> None:
    assert not is_bare(prompt)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bare_problems_are_bare_and_differ(language: str) -> None:
    problems = Asked("bare", language, ("tracing", "syllogism"), (1,), 3, 0).problems()
    assert {problem.domain for problem in problems} == {"tracing"}, "no form of a syllogism is bare"
    assert len({problem.prompt for problem in problems}) == 3
    assert all(is_bare(problem.prompt) and problem.level == 1 for problem in problems)


def test_the_wording_is_that_which_is_asked_for() -> None:
    (seen,) = Asked("seen", "zh", ("tracing",), (2,), 1, 0).problems()
    (unseen,) = Asked("unseen", "zh", ("tracing",), (2,), 1, 0).problems()
    assert seen.language == unseen.language == "zh"
    assert seen.prompt != unseen.prompt


def cell(domain: str, level: int, accuracy: float) -> Cell:
    return Cell(domain, level, 2, accuracy, (0.0, 1.0), 3.0, 9.0, 1.0, 1.0, accuracy, (0.0, 1.0), 0)


def test_the_figures_of_a_wording_name_its_worst_domain_and_its_depth() -> None:
    trends = [DepthTrend("knights", {}, 0.5, True), DepthTrend("calendar", {}, 0.0, False)]
    cells = [cell("knights", 1, 1.0), cell("calendar", 1, 0.5), cell("knights", 2, 0.0)]
    answered = Answered(cells, trends, {1: [True, True, True, False], 2: [False, False]}, 3.5)
    figures = {name: figure.median for name, figure in of_set("seen_en", answered).items()}
    assert figures["seen_en_level1_accuracy"] == 0.75
    assert figures["seen_en_level2_accuracy"] == 0
    assert figures["seen_en_lowest_level1"] == 0.5
    assert (figures["seen_en_deeper"], figures["seen_en_domains"], figures["seen_en_mean_depth"]) == (1, 2, 3.5)
    better = Answered([], [], {1: [True] * 4, 2: [True] * 2}, 3.5)
    over = chinese_over_english("seen", {"seen_en": answered, "seen_zh": better})
    assert over["seen_zh_over_en"].median == 50
    assert over["seen_zh_over_en_level1"].median == 25
    assert chinese_over_english("bare", {"seen_en": answered}) == {}


def test_every_wording_is_asked_in_every_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(understanding, "own_domains", lambda model: ("tracing",))
    monkeypatch.setattr("tuili.eval.parallel.usable_cores", lambda: 1)
    model = str(save_tiny(tmp_path / "model", max_position_embeddings=900))
    config, figures = measure(model, per_cell=1, levels=(1, 2), unseen_levels=(1,), bare=("tracing",))
    assert config["model"] == "given"
    assert {name: len(cells) for name, cells in config["cells"].items()} == {
        "seen_en": 2, "seen_zh": 2, "unseen_en": 1, "unseen_zh": 1, "bare_en": 1, "bare_zh": 1,
    }  # fmt: skip
    assert {"seen_zh_level2_accuracy", "unseen_zh_over_en", "bare_en_level1_n"} <= set(figures)
    assert figures["seen_en_full_over_auto_low95"].median <= figures["seen_en_full_over_auto"].median
    assert "unseen_en_full_over_auto" not in figures
