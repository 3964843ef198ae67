"""How answers to questions of a file are compared, by the kind of model that gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.reciting_prose import foreign
from tests.eval.scripted import TOKENIZER
from tuili.eval import Comparison, LabelledPrompt
from tuili.steps import Context
from tuili.store import ThinkingSettings, write_thinking_file


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        ("12", "12", {"EXACT", "VALUE", "PROSE"}),
        ("12", "12.00", {"EXACT", "VALUE", "PROSE"}),
        ("0.5", "1/2", {"VALUE", "PROSE"}),
        ("3.333333333333333", "10/3", {"VALUE", "PROSE"}),
        ("3/8", "15/40", set()),
        ("3/8", "0.375", {"VALUE", "PROSE"}),
        ("12", "The answer is 12.", {"PROSE"}),
        ("1200", "They have $1,200 now.", {"PROSE"}),
        ("12", "12 of 30", set()),
        ("yes", "Yes", {"EXACT", "VALUE", "PROSE"}),
        ("yes", " Yes.\n", {"PROSE"}),
        ("yes", "Yes, it is.", set()),
        ("12", "", set()),
        ("Tom", "12", set()),
        ("15 carrots", "15", {"VALUE", "PROSE"}),
        ("15 carrots", "They need 15 carrots.", {"PROSE"}),
        ("15 carrots", "15 Carrots", {"VALUE", "PROSE"}),
        ("15 carrots", "15 onions", {"PROSE"}),
        ("1 carrot", "1 carrots", {"VALUE", "PROSE"}),
        ("15 carrots", "16 carrots", set()),
        ("$19", "19", {"VALUE", "PROSE"}),
        ("$19", "19 dollars", {"VALUE", "PROSE"}),
        ("$1,250", "1250", {"VALUE", "PROSE"}),
        ("-$5", "-5", {"VALUE", "PROSE"}),
        ("150 euros", "So it is 150 in all", {"PROSE"}),
        ("15 个", "15", {"VALUE", "PROSE"}),
        ("3万", "3", set()),
        ("150 €", "150", {"VALUE", "PROSE"}),
        ("15%", "15", {"VALUE", "PROSE"}),
        ("1/2 cup", "0.5", {"VALUE", "PROSE"}),
        ("3 km", "3000", set()),
        ("3 million", "3", set()),
        ("2 hours 30 minutes", "2", set()),
        ("1 1/2 cups", "1", set()),
        ("7 is not prime", "7", set()),
        ("7 or 8", "7", set()),
        ("15", "15 carrots", {"PROSE"}),
    ],
)
def test_answers_are_compared(expected: str, given: str, right: set[str]) -> None:
    assert {how.name for how in Comparison if how.is_right(expected, given)} == right
    labelled = {
        how.name
        for how in Comparison
        if LabelledPrompt("Q?", expected, comparison=how).is_answered_by((), given, Context())
    }
    assert labelled == right


def test_a_model_that_answers_barely_is_told_by_its_folder(tmp_path: Path) -> None:
    assert Comparison.of_model(tmp_path, TOKENIZER) is Comparison.VALUE
    assert Comparison.of_model(tmp_path, foreign("thinking")) is Comparison.PROSE
    (tmp_path / "tuili").mkdir()
    write_thinking_file(tmp_path, ThinkingSettings("steps"))
    assert Comparison.of_model(tmp_path, foreign("thinking")) is Comparison.VALUE
