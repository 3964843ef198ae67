"""What conversations cost: pairs by kind of conversation, language and level."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from benchmarks.model import talking
from benchmarks.model.talking import Pair, compared, measure


def test_a_question_is_compared_with_itself() -> None:
    pairs = [Pair("turns", True, True), Pair("turns", False, True), Pair("turns", False, False)]
    figures = {name: figure.median for name, figure in compared("turns_all", pairs).items()}
    assert figures["turns_all_accuracy"] == pytest.approx(1 / 3)
    assert figures["turns_all_alone_accuracy"] == pytest.approx(2 / 3)
    assert figures["turns_all_difference"] == pytest.approx(-100 / 3)
    assert figures["turns_all_difference_low95"] < -100 / 3
    assert compared("turns_all", []) == {}


def test_every_kind_of_conversation_is_measured_in_every_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talking, "own_domains", lambda model: ("word_problems",))
    monkeypatch.setattr("tuili.eval.parallel.usable_cores", lambda: 1)
    model = str(save_tiny(tmp_path / "model", max_position_embeddings=4000))
    config, figures = measure(model, per_cell=1, levels=(1,))
    assert config["left_out"] == {"en_level1": 0, "zh_level1": 0}
    for kind in ("courtesy", "system", "turns"):
        assert [figures[f"{kind}_{group}_n"].median for group in ("all", "en", "zh")] == [2, 1, 1]
        assert figures[f"{kind}_all_difference"].unit == "points"
    assert "system_en_level1_n" not in figures
    assert figures["follow_up_en_level1_n"].median == figures["follow_up_seen_en_level1_n"].median == 1
