from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.data.pipeline.conftest import prose
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.filters.basic import BasicSettings, Reason, shipped_thresholds
from tuili.data.pipeline.filters.language import language_of
from tuili.data.pipeline.filters.measuring import MeasuringSettings
from tuili.data.pipeline.recipe import BuildSettings
from tuili.data.pipeline.words import Words
from tuili.errors import InputError
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


CHINESE_RECIPE = (
    "番茄炒蛋：准备鸡蛋三个、番茄两个、葱花少许。鸡蛋打散加盐搅匀，番茄洗净切块。热锅倒油，油温六成时倒入蛋液，凝固后盛出。"
    "锅内再加少许油，放入番茄块翻炒出汁，加糖、盐调味，倒入炒好的鸡蛋翻炒均匀，撒上葱花出锅即可。"
)
PROOF = (
    "Let a | b and b | c. Since a | b there is k with b = k a, and since b | c there is m with c = m b. So c = m b = "
    "m k a, that is a | c. If x is in A, x is in B, for A is in B. As B is in C, x is in C. So A is in C."
)
GSM8K = (
    "Tina buys 5 bags of apples. Each of the bags of apples costs 4 dollars. She pays with a bill of 50 dollars. How "
    "much change does she get? The bags of apples cost 5 * 4 = 20 dollars. She gets 50 - 20 = 30 dollars as change. "
    "The answer is 30 dollars."
)
TUTORIAL = """To read a file line by line, open it with a context manager, so that it is closed at the end of the block.

def count(path: str) -> dict[str, int]:
    found: dict[str, int] = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            found[line] = found.get(line, 0) + 1
    return {key: (value, value / len(found)) for (key, value) in found.items() if value > 1}

>>> {name: [count("a.txt")[name], count("b.txt")[name]] for name in ("x", "y", "z")}
{"x": [(1, 0.25), (2, 0.5)], "y": [(3, 0.75), (4, 1.0)], "z": [(5, 1.25), (6, 1.5)]}
>>> [(x - y) * (x + y) for x, y in [(1, 2), (3, 4), (5, 6)]] + [(-1) ** 2, (-2) ** 3]

This is how the function is called. It gives a dictionary of the lines with how often each of them is in the file."""
TABLE = (
    "The table has the mean of the measured times, in seconds, for each of the sizes. " * 3
    + "\n"
    + "\n".join(f"{size} {size * 37 % 100:02} {size * 91 % 100:02} {size * 53 % 100:02}" for size in range(100, 130))
)
C_WITH_SPANISH = """/* Suma los elementos de la lista que son mayores que el valor que se da en la llamada. */
int suma(int *lista, int n, int valor) { // el total de los que se cuentan
    int total = 0; // no se cuenta con los que son menores
    for (int i = 0; i < n; i++) if (lista[i] > valor) total += lista[i];
    return total;
}"""
ZERO_WIDTH = " ".join(word[:2] + "\u00ad" + word[2:] + "\u200b" for word in prose(3).split())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("web", CHINESE_RECIPE),
        ("prose", PROOF),
        ("web", GSM8K),
        ("web", TUTORIAL),
        ("reference", TABLE),
        ("problem", "42"),
        ("problem", "Yes, 7."),
        ("problem", "x = 5"),
        ("problem", "Voir le théorème de la page 7 dans le livre de la bibliothèque, et les notes des pages 8 et 9."),
        ("problem", "∠α + ∠β = 90°"),
        ("code", C_WITH_SPANISH),
        ("code", "for (i = 0; i < n; i++) de[i] = de[i] + en[j]; de[0] = en[0]; en[1] = de[1]; un = de[2] + en[2];"),
        ("web", ZERO_WIDTH),
    ],
)
def test_good_texts_of_many_kinds_are_kept(kind: str, text: str) -> None:
    assert outcome(text, kind) == "kept"


def test_what_does_not_show_is_no_part_of_a_word() -> None:
    assert Words("hy\u00adphen zero\u200bwidth \ufe0f").hashes.tolist() == Words("hyphen zerowidth").hashes.tolist()


def test_kinds_and_languages_that_nothing_knows_are_refused_before_the_work() -> None:
    for settings in ({"languages": ["english"]}, {"languages": ["en", "ru"]}):
        with pytest.raises(ValidationError, match="is no language that is told: those are de, en, "):
            BasicSettings.model_validate({"block": "basic"} | settings)
    inputs = [{"path": "a", "kind": "wbe"}]
    with pytest.raises(InputError, match="kind 'wbe' has no thresholds: those known are web, prose, "):
        BuildSettings.model_validate({"inputs": inputs, "blocks": [{"block": "basic"}]}).pipeline()
    misspelt = [{"block": "mask", "except_kinds": ["problems"]}], [{"block": "dedup", "exact_kinds": ["problems"]}]
    for blocks in misspelt:
        with pytest.raises(InputError, match="excepts the kind 'problems', and no text is of it: those known are "):
            BuildSettings.model_validate({"blocks": blocks}).pipeline()
        for where in ({"path": "a", "kind": "problems"}, {"path": "a", "kind_field": "kind"}):
            BuildSettings.model_validate({"inputs": [where], "blocks": blocks}).pipeline()
    with pytest.raises(ValidationError, match="no block extracts records"):
        BuildSettings.model_validate({"output": {"form": "records"}})


KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. "
RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах. " * 8


def numbered(count: int) -> str:
    return " ".join(prose(number, 20) for number in range(count))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.FEW_WORDS),
        ("too short", Reason.FEW_WORDS),
        (GERMAN * 2, Reason.OTHER_LANGUAGE),
        (JAPANESE * 2, Reason.OTHER_LANGUAGE),
        (RUSSIAN, Reason.OTHER_LANGUAGE),
        (SPAM + SPAM[:-40] + "of the and", Reason.FEW_FUNCTION_WORDS),
        (prose(1) + "\ufffd" * 20, Reason.GARBLED),
        (prose(1) + " $%&*" * 60, Reason.MANY_SYMBOLS),
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
        (
            "苹果香蕉葡萄西瓜草莓樱桃菠萝芒果柠檬橙柚梨桃杏李枣核桃杏仁花生黄瓜茄番茄土豆萝卜白菜芹菜韭菜洋葱蒜姜胡椒香菜",
            Reason.FEW_FUNCTION_CHARACTERS,
        ),
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
    assert result.metadata == {"detected_language": "de"}
    assert outcome(RUSSIAN, "problem") == Reason.OTHER_LANGUAGE


@pytest.mark.parametrize(("text", "language"), [(JAPANESE, "ja"), (KOREAN, "ko"), (RUSSIAN, "other")])
def test_languages_without_known_function_words_can_be_kept(text: str, language: str) -> None:
    """All other rules but those of repetition hold for them."""
    free = dict.fromkeys(("repeated_lines", "repeated_runs", "commonest_run"))
    block = BasicSettings(block="basic", languages=(language,), thresholds={"web": free}).build()
    result = block.apply(Document(text * 8, "a", "a", "web"))
    assert isinstance(result, Document) and result.metadata == {"detected_language": language}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (prose(1), "en"),
        (CHINESE, "zh"),
        ("我們可以看到，這個方法比較簡單，也不需要花費很多時間。", "zh"),
        (GERMAN, "de"),
        (JAPANESE, "ja"),
        (KOREAN, "ko"),
        ("Tous les êtres humains naissent libres et égaux en dignité et en droits.", "fr"),
        ("Todos los seres humanos nacen libres e iguales en dignidad y derechos, dotados como están de razón.", "es"),
        ("3 + 4 = 7", "unknown"),
        (RUSSIAN, "other"),
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
    """But for the tables of measured results, whose rows are alike."""
    block = BasicSettings(block="basic").build()
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = re.sub(r"<!-- results: .*?<!-- end of results -->", "", page.read_text(), flags=re.DOTALL)
        assert not isinstance(block.apply(Document(text, page.name, page.name, "reference")), Drop), page


def test_measuring_notes_all_that_the_filter_looks_at_and_drops_nothing() -> None:
    block = MeasuringSettings(block="measure").build()
    measured = block.apply(Document(prose(1), "a", "a", "web"))
    assert measured.measures["word_count"] == 80
    assert 0 < measured.measures["function_words"] < 1
    assert json.dumps(measured.measures)
    empty = block.apply(Document("...", "a", "a", "web"))
    assert empty.measures == {"word_count": 0.0, "function_words": 0.0}
