"""Questions are alike by the words that they share, numbers aside, however many were taught."""

from __future__ import annotations

import pytest

from tuili.eval import dice, likeness

TAUGHT = ["Ada has 3 pens and buys 4 more pens.", "How far is it to Rome?", "小明有12个苹果。"]


@pytest.mark.parametrize(
    ("question", "share"),
    [
        ("Ada has 17 pens, and buys twenty more pens", 1.0),
        ("Bo has 3 pens and buys 4 more pens.", 8 / 9),
        ("Ada has 3 pens.", 8 / 13),
        ("pens pens pens", 2 * 2 / 12),  # two of them stand in the first, which has nine words
        ("How far is it from Rome to Rome?", 12 / 14),
        ("小红有三个苹果", 12 / 14),
        ("Nothing else", 0.0),
        ("7 8 9", 2 * 2 / 12),
    ],
)
def test_the_share_of_words(question: str, share: float) -> None:
    assert likeness([question], TAUGHT) == [pytest.approx(share)]


def test_any_number_of_questions_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["How far is it to Ada?", "Ada has 1 pen.", "?"]
    expected = [max(likeness([one], [other])[0] for other in TAUGHT) for one in asked]
    assert likeness(asked, TAUGHT) == pytest.approx(expected)
    monkeypatch.setattr(dice, "TOGETHER", 1)
    assert likeness(asked, iter(TAUGHT * 2)) == pytest.approx(expected)
    assert likeness(asked, []) == [0, 0, 0]
    assert likeness([], TAUGHT) == []
