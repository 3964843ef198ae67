"""The data files of conversations: how many texts there are, that they leave the checker alone, what is refused."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from tuili.errors import InputError
from tuili.steps import Context, read_as, read_turns, turns_of
from tuili.tasks import BUILT_IN_DOMAINS, Language, generate
from tuili.tasks.conversations.shapes import HELD_OUT, PLAIN, SEEN, SHAPES, Shape
from tuili.tasks.conversations.texts import TEXTS, Text, all_texts, read_texts, texts_of

LANGUAGES = pytest.mark.parametrize("language", Language)
KINDS = pytest.mark.parametrize("kind", SHAPES)


@cache
def contexts() -> list[tuple[str, Context]]:
    """Prompts of all domains, with what the checker reads from each."""
    prompts = [generate(domain, 0, index, 2).prompt for domain in BUILT_IN_DOMAINS for index in range(2)]
    return [(prompt, Context.from_prompt(prompt)) for prompt in prompts]


def words(text: str, language: Language) -> frozenset[str]:
    """Words of English; of Chinese, two characters each."""
    if language is Language.EN:
        return frozenset(re.findall(r"\w+", text.lower()))
    characters = re.sub(r"\W", "", text)
    return frozenset(map("".join, pairwise(characters)))


@LANGUAGES
def test_there_are_enough_system_messages_each_of_a_kind_of_its_own(language: Language) -> None:
    texts = all_texts("system", language)
    assert len(texts) >= 200
    assert len({text.id for text in texts}) == len(texts)
    held_out = [text for text in texts if text.part == HELD_OUT]
    assert len(held_out) / len(texts) == pytest.approx(0.2, abs=0.02)
    by_group = Counter(text.group for text in held_out)
    assert by_group.keys() == {text.group for text in texts}
    sets = [(text, words(text.pieces[0], language)) for text in texts]
    for place, (one, its_words) in enumerate(sets):
        for other, other_words in sets[:place]:
            overlap = len(its_words & other_words) / len(its_words | other_words)
            assert overlap < 0.6, f"{one.place} says nearly what {other.place} says"


@LANGUAGES
def test_courtesies_small_talk_and_follow_ups_are_many_and_partly_held_out(language: Language) -> None:
    assert len(all_texts("politeness", language)) >= 60
    assert {text.group for text in texts_of("politeness", language, HELD_OUT)} == {"before", "behind", "both"}
    assert len(texts_of("talk", language, HELD_OUT)) >= 5
    assert len(texts_of("follow_ups", language, SEEN)) >= 60
    for group in SHAPES["follow_ups"].slots:
        assert texts_of("follow_ups", language, HELD_OUT, group), group


@LANGUAGES
@KINDS
def test_no_text_gives_the_checker_anything(language: Language, kind: str) -> None:
    for text in all_texts(kind, language):
        for piece in text.pieces if text.part != PLAIN else ():
            filled = re.sub(r"\{\w+\}", "17", piece)
            assert Context.from_prompt(filled) == Context(), text.place
            assert Context.from_prompt(read_as(filled).text) == Context(), text.place


@LANGUAGES
def test_no_system_message_changes_what_a_question_gives(language: Language) -> None:
    """Messages take turns with the questions; the terse ones meet all of them."""
    for place, text in enumerate(all_texts("system", language)):
        step = 1 if text.group == "terse" else 11
        for prompt, alone in contexts()[place % step :: step]:
            asked = turns_of([("system", text.pieces[0]), ("user", prompt)])
            for read in (asked, read_turns(*asked)):
                assert Context.from_prompt(*read) == alone, (text.place, prompt)


def test_the_languages_have_the_same_groups_and_characters_of_their_own() -> None:
    for kind in SHAPES:
        english, chinese = (all_texts(kind, language) for language in (Language.EN, Language.ZH))
        assert {text.group for text in english} == {text.group for text in chinese}
        assert all(piece.isascii() or re.search("[éèöä]", piece) for text in english for piece in text.pieces)
        assert all(re.search("[\u4e00-\u9fff]", "".join(text.pieces)) for text in chinese)


@pytest.mark.parametrize(
    ("content", "shape", "message"),
    [
        ("a:\n  seen: {x: Hi.}\n", Shape(), "2: the group 'a' has no part 'held_out'"),
        ("a:\n  seen: {x: Hi.}\n  held_out: {y: Ho.}\n  unseen: {z: Ha.}\n", Shape(), "4: unknown part 'unseen'"),
        ("a:\n  seen: {x: Hi.}\n  held_out:\n    x: Ho.\n", Shape(), "4: the id 'x' stands in the group 'a' twice"),
        ("a:\n  seen: {x: Hi.}\n  held_out:\n    y: Hi.\n", Shape(), "4: the text of 'y' stands already at"),
        ("a:\n  seen:\n    x: Hi.\n    x: Ho.\n  held_out: {y: A.}\n", Shape(), "4: a key must be a word"),
        ("a:\n  seen: {x: Hi.}\n  held_out: {y: [A, B]}\n", Shape(), "3: must be a text"),
        ("a:\n  seen: {x: [Hi., Ho.]}\n  held_out: {y: A.}\n", Shape(usual_pieces=2), "3: must be a list of 2 texts"),
        ("a:\n  seen: {x: ''}\n  held_out: {y: A.}\n", Shape(), "2: must be a text"),
        ("a:\n  seen: {x: 'And {m}?'}\n", Shape(slots={"b": frozenset()}), "2: unknown group 'a': known are b"),
        (
            "a:\n  held_out: {y: 'Now {n}.'}\n  seen: {x: 'And {m}?'}\n",
            Shape(slots={"a": frozenset({"n"})}),
            "3: unknown slot 'm': known here are n",
        ),
        ("a:\n  held_out: {y: A.}\n  seen: {x: '{n}'}\n", Shape(slots={"a": frozenset({"n"})}), "slot {n} is missing"),
        ("a:\n  seen: {x: 'A {.'}\n  held_out: {y: A.}\n", Shape(), "2: unknown slot '{': known here are none"),
        ("- a\n", Shape(), "1: must hold `key: value` lines"),
        ("", Shape(), "1: must hold `key: value` lines"),
        ("a: [\n", Shape(), "2: no YAML"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, content: str, shape: Shape, message: str) -> None:
    path = tmp_path / "texts.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as refused:
        read_texts(path, shape)
    assert str(refused.value).startswith(f"{path}:")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_all_values_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "texts.yaml"
    path.write_text("a:\n  seen: {yes: 1:30}\n  held_out: {no: on}\n")
    assert [(text.id, text.pieces) for text in read_texts(path, Shape())] == [("yes", ("1:30",)), ("no", ("on",))]


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_texts(tmp_path / "none.yaml", Shape())
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4")
    with pytest.raises(InputError, match="not UTF-8"):
        read_texts(tmp_path / "latin.yaml", Shape())


def test_slots_are_filled() -> None:
    assert Text("x", "plus", SEEN, ("And {n} + {n}?",), "").filled(n=5) == "And 5 + 5?"
    assert TEXTS.is_dir()
