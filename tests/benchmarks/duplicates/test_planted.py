"""The benchmark of duplicates finds what it plants, at a hundredth of its size."""

from __future__ import annotations

import pytest

from benchmarks.duplicates.planted import EDITS, measure


@pytest.mark.trials
def test_what_is_planted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.duplicates.planted.OWN_PROBLEMS", 1)
    monkeypatch.setattr("benchmarks.duplicates.planted.OWN_LEVELS", (1,))
    config, figures = measure(documents=150, planted=20)
    assert config["questions"] == 20
    recall = [figures[f"tuili_recall_{share}"].median for share in EDITS]
    assert recall[0] == 1 and recall[1] >= 0.9 and recall == sorted(recall, reverse=True)
    assert figures["tuili_precision"].median == figures["questions_precision"].median == 1
    assert figures["own_unseen_recall"].median > 2 * figures["own_seen_recall"].median
    assert figures["questions_recall"].median >= 0.9
