"""Filters of forms: what each makes of a value in each language."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tuili.tasks import Clause, Clauses, Content, Language, Wording
from tuili.tasks.wordings.filters import TEXT_FILTERS
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
    [("indefinite", "ants", "an ant", "ants"), ("indefinite", "cats", "a cat", "cats")],
)
def test_a_filter_of_texts(name: str, text: str, english: str, chinese: str) -> None:
    assert [TEXT_FILTERS[name](text, language) for language in Language] == [english, chinese]


@pytest.mark.parametrize(
    ("form", "prompt", "step"),
    [
        ("{facts|labelled}", "P1: A <-> B\nP2: A", "P2 => A"),
        ("{facts|labelled_inline}. A?", "P1: A <-> B, P2: A. A?", "P2 => A"),
        ("{facts:plain|glossed}", "A likes B. P1: A <-> B\nA is here. P2: A", "P2 => A"),
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
