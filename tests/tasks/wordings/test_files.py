"""A wrong file of forms is refused in one line, with the file and the line."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tuili.errors import InputError
from tuili.tasks import Clause, Clauses, Content, Language, Wording
from tuili.tasks.wordings.forms import Form, forms_of
from tuili.tasks.wordings.render import Worded, render

RIGHT = """language: en
phrases:
  plain:
    holds: "{atom} is true"
forms:
  first: "Is [it|that] {atom}? {facts:plain|sentences}"
"""
CONTENT = Content(
    "goal", {"atom": "Ann", "facts": Clauses((Clause("holds", "A", {"atom": "A"}),))}, (), "yes", names=()
)


def read(folder: Path, text: str, name: str = "x.yaml", language: str = "en") -> tuple[Form, ...]:
    (folder / language).mkdir(exist_ok=True)
    (folder / language / name).write_text(text, encoding="utf-8")
    return forms_of("x", Language(language), Wording.ALL, folder)


def worded(form: Form) -> Worded:
    return render(CONTENT, form, Language.EN, random.Random(0))


def test_a_form_puts_a_content_into_words(tmp_path: Path) -> None:
    (form,) = read(tmp_path, RIGHT)
    assert worded(form).prompt in ("Is it Ann? A is true.", "Is that Ann? A is true.")


def test_all_values_are_texts(tmp_path: Path) -> None:
    forms = read(tmp_path, "language: en\nforms:\n  yes: no\n  time: 1:30\n")
    assert [(form.id, worded(form).prompt) for form in forms] == [("yes", "no"), ("time", "1:30")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("language: fr\nforms:\n  a: b\n", 1, "language 'fr' in a file of en: known are en, zh"),
        ("language: en\nforms:\n  a: b\n  a: c\n", 4, "'a' stands there twice"),
        ("language: en\nforms:\n  a: b c\n  d: b  c\n", 4, "the form 'd' has the text of 'a'"),
        ("language: en\nforms:\n  a: '{atom'\n", 3, "is no slot"),
        ("language: en\nforms:\n  a: 'atom}'\n", 3, "a brace ends no slot"),
        ("language: en\nforms:\n  a: '{atom|shout}'\n", 3, "unknown filter 'shout'"),
        ("language: en\nforms:\n  a: '{facts:loud|lines}'\n", 3, "unknown style 'loud': known are none"),
        ("language: en\nforms:\n  a: {text: b, kind: c}\n", 3, "unknown key 'kind': known are text, for, answer"),
        ("language: en\nforms:\n  a: {for: c}\n", 3, "the form 'a' has no text"),
        ("language: en\nforms:\n  a: [b]\n", 3, "must hold `key: value` lines"),
        ("language: en\nstyles: {}\nforms:\n  a: b\n", 2, "unknown key 'styles': known are language, phrases, forms"),
        ("language: en\n", 1, "the key 'forms' is missing"),
        ("language: en\nforms:\n  a: 'b\n", 4, "no YAML"),
        ("- a\n", 1, "must hold `key: value` lines"),
        ("", 1, "must hold `key: value` lines"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(tmp_path, text)
    assert f"x.yaml:{line}: " in str(refusal.value)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_form_stands_in_one_file(tmp_path: Path) -> None:
    read(tmp_path, RIGHT)
    forms_of.cache_clear()
    with pytest.raises(InputError, match=r"x\.unseen\.yaml:3: the form 'first' stands already at .*x\.yaml:6"):
        read(tmp_path, "language: en\nforms:\n  first: other\n", "x.unseen.yaml")


def test_independent_forms_are_unseen_ones(tmp_path: Path) -> None:
    read(tmp_path, RIGHT)
    read(tmp_path, "language: en\nforms:\n  other: '{atom}?'\n", "x.unseen.yaml")
    forms_of.cache_clear()
    read(tmp_path, "language: en\nforms:\n  third: '{facts:plain|lines}?'\n", "x.independent.yaml")
    found = {wording: [form.id for form in forms_of("x", Language.EN, wording, tmp_path)] for wording in Wording}
    assert found == {
        Wording.SEEN: ["first"],
        Wording.UNSEEN: ["other", "third"],
        Wording.ALL: ["first", "other", "third"],
    }
    forms_of.cache_clear()
    with pytest.raises(
        InputError, match=r"x\.independent\.yaml:3: the form 'other' stands already at .*unseen\.yaml:3"
    ):
        read(tmp_path, "language: en\nforms:\n  other: '{atom}!'\n", "x.independent.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{atm}", r"x\.yaml:3: no slot 'atm' in a 'goal': it has answer, atom, facts"),
        ("{facts}", r"x\.yaml:3: the list 'facts' needs one of labelled, "),
        ("{atom|lines}", r"x\.yaml:3: the filter 'lines' is for lists, and 'atom' is none"),
        ("{facts|lines|lines}", r"x\.yaml:3: the filter 'lines' cannot stand before another"),
    ],
)
def test_a_form_that_does_not_fit_its_content_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (form,) = read(tmp_path, f"language: en\nforms:\n  a: '{text}'\n")
    with pytest.raises(InputError, match=message):
        worded(form)


def test_an_unseen_form_may_use_the_phrases_of_the_seen_ones(tmp_path: Path) -> None:
    read(tmp_path, RIGHT)
    forms_of.cache_clear()
    forms = read(tmp_path, "language: en\nforms:\n  other: '{facts:plain|lines}'\n", "x.unseen.yaml")
    assert worded(forms[1]).prompt == "A is true"


def test_a_style_may_take_over_the_phrases_of_another(tmp_path: Path) -> None:
    text = RIGHT.replace("  plain:", "  plain: &plain").replace(
        "forms:", "  loud:\n    <<: *plain\n    fails: no\nforms:"
    )
    (form,) = read(tmp_path, text.replace("facts:plain", "facts:loud"))
    assert form.phrases["loud"].keys() == {"holds", "fails"}
    assert worded(form).prompt.endswith("A is true.")
