"""Filters of forms: what each makes of a value in each language."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tuili.tasks import Clause, Clauses, Content, Language, Wording
from tuili.tasks.wordings.filters import TEXT_FILTERS, sentence
from tuili.tasks.wordings.forms import forms_of
from tuili.tasks.wordings.render import render

CONTENT = Content(
    "goal",
    {"facts": Clauses((Clause("says", "A <-> B", {"text": "A likes B"}), Clause("says", "A", {"text": "A is here"})))},
    ("P2 => A",),
    "yes",
)


@pytest.mark.parametrize(
    ("name", "text", "english", "chinese"),
    [
        ("indefinite", "ants", "an ant", "ants"),
        ("indefinite", "cats", "a cat", "cats"),
        ("day_first", "从2024-03-01起", "从1 March 2024起", "从2024年3月1日起"),
        ("month_first", "2024-12-31", "December 31, 2024", "2024年12月31日"),
        ("twelve_hours", "00:05", "12:05 am", "凌晨0:05"),
        ("twelve_hours", "12:30", "12:30 pm", "中午12:30"),
        ("twelve_hours", "23:00", "11:00 pm", "晚上11:00"),
        ("written_out", "1 h 5 min", "1 hour 5 minutes", "1小时5分钟"),
        ("written_out", "2 h", "2 hours", "2小时"),
    ],
)
def test_a_filter_of_texts(name: str, text: str, english: str, chinese: str) -> None:
    assert [TEXT_FILTERS[name](text, language) for language in Language] == [english, chinese]


@pytest.mark.parametrize(
    ("form", "prompt", "step"),
    [
        ("{facts|labelled}", "P1: A <-> B\nP2: A", "P2 => A"),
        ("{facts|labelled_inline}. A?", "P1: A <-> B, P2: A. A?", "P2 => A"),
        ("{facts:plain|glossed}", "A likes B. P1: A <-> B\nA is here. P2: A", "P2 => A"),
        ("{facts:plain|anded}?", "A likes B and A is here?", "A => A"),
        ("{facts:plain|semicolons}?", "A likes B; A is here?", "A => A"),
    ],
)
def test_a_filter_of_lists(tmp_path: Path, form: str, prompt: str, step: str) -> None:
    (tmp_path / "en").mkdir()
    text = f'language: en\nphrases:\n  plain:\n    says: "{{text}}"\nforms:\n  one: "{form}"\n'
    (tmp_path / "en" / "x.yaml").write_text(text, encoding="utf-8")
    (only,) = forms_of("x", Language.EN, Wording.SEEN, tmp_path)
    worded = render(CONTENT, only, Language.EN, random.Random(0))
    assert (worded.prompt, worded.steps) == (prompt, (step,))
    assert worded.facts == ({"P1": "A <-> B", "P2": "A"} if "P1" in prompt else {})


@pytest.mark.parametrize(
    ("language", "clause", "text"),
    [
        (Language.EN, "x is here", "X is here."),
        (Language.EN, "what is x?", "What is x?"),
        (Language.ZH, "n的一半是4", "n的一半是4。"),
        (Language.ZH, "小明说：“我是骗子。”", "小明说：“我是骗子。”"),
    ],
)
def test_a_sentence_has_its_end_once_and_a_capital_in_english(language: Language, clause: str, text: str) -> None:
    assert sentence(clause, language) == text
