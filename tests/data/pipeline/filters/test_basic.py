from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.data.pipeline.conftest import prose
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.filters.basic import BasicSettings, Reason, shipped_thresholds
from tuili.data.pipeline.filters.language import language_of
from tuili.data.pipeline.filters.measuring import MeasuringSettings
from tuili.data.pipeline.words import Words
from tuili.tasks import LEVELS, domain_names, generate

ROOT = Path(__file__).parents[4]
CHINESE = (
    "人工智能是计算机科学的一个分支，它企图了解智能的实质，并生产出一种新的能以与人类智能相似的方式作出反应的智能机器。"
    "该领域的研究包括机器人、语言识别、图像识别、自然语言处理和专家系统等，其应用领域也在不断扩大。"
)
GERMAN = (
    "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist die Verpflichtung aller staatlichen "
    "Gewalt. Das deutsche Volk bekennt sich darum zu den Menschenrechten als Grundlage jeder Gemeinschaft, des "
    "Friedens und der Gerechtigkeit in der Welt, und die nachfolgenden Rechte binden die Gesetzgebung als Recht."
)
JAPANESE = (
    "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられている。"
)
SPAM = "cheap shoes discount sale bargain price outlet store online brand leather boots sneakers sandals " * 2
LOG = "\n".join(
    f"2024-05-{day:02} 10:{day:02}:00 the server of the site was up and it is well {day * 7919}" for day in range(1, 29)
)
MENU = (
    "\n".join(["Home", "About the team", "Products", "Contact us here", "Our blog"] * 5)
    + "\n"
    + "of the in a to it\n" * 8
)


def outcome(text: str, kind: str = "web", **changes: float | None) -> str:
    settings = BasicSettings(block="basic", thresholds={kind: changes} if changes else {})
    result = settings.build().apply(Document(text, "a", "a", kind))
    return result.reason if isinstance(result, Drop) else "kept"


def numbered(count: int) -> str:
    return " ".join(prose(number, 20) for number in range(count))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.FEW_WORDS),
        ("too short", Reason.FEW_WORDS),
        (GERMAN * 2, Reason.OTHER_LANGUAGE),
        (JAPANESE * 2, Reason.OTHER_LANGUAGE),
        ("Все люди рождаются свободными и равными в своем достоинстве и правах. " * 8, Reason.OTHER_LANGUAGE),
        (SPAM + SPAM[:-40] + "of the and", Reason.FEW_FUNCTION_WORDS),
        (prose(1) + "\ufffd" * 20, Reason.GARBLED),
        (prose(1) + " $%&*" * 30, Reason.MANY_SYMBOLS),
        (prose(1) + " 12345678" * 20, Reason.MANY_DIGITS),
        (prose(1) + " " + "Zm9vYmFy" * 12, Reason.LONG_WORDS),
        ("a b of it " * 20, Reason.SHORT_WORDS_ON_AVERAGE),
        (" ".join(f"of internationalisation{n}" for n in range(80)), Reason.LONG_WORDS_ON_AVERAGE),
        (prose(1) + " " + "!" * 60, Reason.SAME_CHARACTERS),
        (MENU, Reason.SHORT_LINES),
        ("\n".join(prose(number, 9)[:-1] for number in range(12)), Reason.UNENDED_LINES),
        (LOG + ".", Reason.SAME_STARTS),
        (prose(1) + " Privacy policy. Terms of use. Add to cart. Sign up. All rights reserved!", Reason.BOILERPLATE),
        ("\n".join(prose(number % 8, 12) for number in range(12)), Reason.REPEATED_LINES),
        (prose(1) + " in the end, and" * 6, Reason.COMMONEST_RUN),
        (" ".join(prose(number % 5, 30) for number in range(8)), Reason.REPEATED_RUNS),
        (numbered(5), "kept"),
        (CHINESE, "kept"),
        (CHINESE[:40], Reason.FEW_WORDS),
    ],
)
def test_a_page_is_dropped_for_a_reason_that_fits(text: str, reason: str) -> None:
    others = {} if reason != Reason.SAME_STARTS else {"unended_lines": None, "many_digits": None}
    assert outcome(text, **others) == reason


def test_a_kind_that_nobody_knows_is_named() -> None:
    assert outcome(prose(1), "poem") == Reason.UNKNOWN_KIND
    assert outcome(prose(1), "poem", few_words=3) == "kept"


def test_a_threshold_can_be_changed_or_taken_away() -> None:
    assert outcome("too short", few_words=2, few_function_words=None) == "kept"
    assert outcome(prose(1), few_words=1000) == Reason.FEW_WORDS
    with pytest.raises(ValidationError, match="web: 'few_wrods' is no reason: known are boilerplate"):
        BasicSettings(block="basic", thresholds={"web": {"few_wrods": 3}})


def test_a_drop_tells_what_was_measured_and_what_is_allowed() -> None:
    drop = BasicSettings(block="basic").build().apply(Document("too short", "a", "a", "web"))
    assert drop == Drop("few_words", {"measured": 2.0, "least": 50.0})


def test_every_threshold_has_a_rule_and_every_rule_a_threshold() -> None:
    named = {reason for kind in shipped_thresholds().values() for reason in kind}
    assert named == {str(reason) for reason in Reason} - {Reason.UNKNOWN_KIND, Reason.OTHER_LANGUAGE}


def test_other_languages_can_be_kept() -> None:
    settings = BasicSettings(block="basic", languages=("de",))
    result = settings.build().apply(Document(GERMAN, "a", "a", "prose"))
    assert isinstance(result, Document)
    assert result.metadata == {"language": "de"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (prose(1), "en"),
        (CHINESE, "zh"),
        ("我們可以看到，這個方法比較簡單，也不需要花費很多時間。", "zh"),
        (GERMAN, "de"),
        (JAPANESE, "ja"),
        ("모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.", "ko"),
        ("Tous les êtres humains naissent libres et égaux en dignité et en droits.", "fr"),
        ("Todos los seres humanos nacen libres e iguales en dignidad y derechos, dotados como están de razón.", "es"),
        ("3 + 4 = 7", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_language_is_told_by_script_and_function_words(text: str, language: str) -> None:
    assert language_of(Words(text)).name == language


def test_own_problems_are_kept() -> None:
    block = BasicSettings(block="basic").build()
    dropped = list[str]()
    for name in domain_names():
        for level in LEVELS:
            for index in range(4):
                for language in ("en", "zh"):
                    problem = generate(name, 0, index, level, language=language)
                    text = "\n".join([problem.prompt, *problem.steps, problem.answer])
                    result = block.apply(Document(text, problem.id, problem.id, "problem"))
                    dropped += [f"{problem.id}: {result}"] if isinstance(result, Drop) else []
    assert dropped == []


def test_pages_of_these_docs_are_kept_as_reference() -> None:
    block = BasicSettings(block="basic").build()
    for page in sorted((ROOT / "docs").glob("*.md")):
        assert not isinstance(block.apply(Document(page.read_text(), page.name, page.name, "reference")), Drop), page


def test_measuring_notes_all_that_the_filter_looks_at_and_drops_nothing() -> None:
    block = MeasuringSettings(block="measure").build()
    measured = block.apply(Document(prose(1), "a", "a", "web"))
    assert measured.measures["word_count"] == 80
    assert 0 < measured.measures["function_words"] < 1
    assert json.dumps(measured.measures)
    empty = block.apply(Document("...", "a", "a", "web"))
    assert empty.measures == {"word_count": 0.0, "function_words": 0.0}
