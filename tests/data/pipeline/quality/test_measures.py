from __future__ import annotations

import math

import pytest

from tuili.data.pipeline.filters import measures as basic
from tuili.data.pipeline.quality.measures import NAMES, measures_of
from tuili.data.pipeline.words import Words


def measured(text: str, function_words: float = 0.25) -> dict[str, float]:
    return dict(zip(NAMES, measures_of(Words(text), function_words), strict=True))


def test_marks_lines_and_words_are_counted_as_by_hand() -> None:
    found = measured("one, two.\n\nThree = four! (a b) 中文。\n")
    visible = len("one,two.Three=four!(ab)中文。")
    assert found["words"] == pytest.approx(math.log(1 + 8)) and found["function_words"] == 0.5
    assert found["marks .。"] == pytest.approx(math.sqrt(2 / visible))
    assert found["marks ,，、"] == found["marks !！"] == pytest.approx(math.sqrt(1 / visible))
    assert found["marks ()[]{}<>（）《》【】"] == pytest.approx(math.sqrt(2 / visible))
    assert found["marks ?？"] == found["marks $€£¥￥"] == 0
    assert found["single"] == 4 / 8  # a, b and the two characters
    assert found["line_length"] == pytest.approx((math.log(3) + math.log(7)) / 2)
    assert found["line_spread"] == pytest.approx((math.log(7) - math.log(3)) / 2)
    assert found["distinct"] == 1


def test_shares_are_roots_of_those_of_the_basic_filter() -> None:
    text = "Home | News | 12\nHome | Sport | 34\n" * 8
    found, words = measured(text), Words(text)
    for share in (basic.symbols, basic.digits, basic.short_lines, basic.repeated_lines, basic.same_starts):
        assert found[share.__name__] == pytest.approx(math.sqrt(share(words))) and share(words) > 0


def test_text_that_says_the_same_again_is_packed_and_has_few_distinct_words() -> None:
    again, once = measured("buy it now " * 50), measured(" ".join(f"word{n * n}" for n in range(150)))
    assert again["packed"] < 0.1 < 0.2 < once["packed"] and again["distinct"] < 0.03 < once["distinct"]


@pytest.mark.parametrize("text", ["a", "中", "1", "\n\nword\n"])
def test_a_single_word_has_numbers(text: str) -> None:
    assert all(map(math.isfinite, measured(text).values()))
