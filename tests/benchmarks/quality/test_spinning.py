"""Each way of spinning, and each generator that is borrowed, does what it says."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

from benchmarks.quality.junk import borrowed, spinning


def test_words_are_exchanged_for_those_of_the_lists(tmp_path: Path) -> None:
    rng = random.Random(0)
    (tmp_path / "th.dat").write_text("UTF-8\nhouse|1\n(noun)|dwelling|home (generic term)\nrun|1\n(verb)|run\n")
    thesaurus = spinning.mythes(tmp_path / "th.dat")
    assert thesaurus == {"house": ["dwelling", "home"]}
    assert spinning.spun("House of cards, run", thesaurus, 1, rng) in ("Dwelling of cards, run", "Home of cards, run")
    assert spinning.spun("House", thesaurus, 0, rng) == "House"
    tree = {"A": {"tag": "人", "sub": {"01=": ["人", "人士", "人物"], "02=": ["高兴", "快乐"], "03=": ["单独"]}}}
    (tmp_path / "tree.json").write_text(json.dumps(tree))
    chinese = spinning.cilin(tmp_path / "tree.json")
    assert spinning.spun_chinese("很高兴。人士", chinese, 1, rng) == "很快乐。人物"


def test_a_dictionary_of_dictd_is_read_there_and_back(tmp_path: Path) -> None:
    meanings = {"there": {"house": "maison, foyer"}, "back": {"maison": "1. building <n>", "foyer": "hearth"}}
    for name, entries in meanings.items():
        folder, text, index = tmp_path / name, b"", ""
        folder.mkdir()
        for head, meaning in entries.items():
            entry = f"{head} /x/\n{meaning}\n".encode()
            index += f"{head}\t{_base64(len(text))}\t{_base64(len(entry))}\n"
            text += entry
        (folder / "d.index").write_text(index)
        (folder / "d.dict.dz").write_bytes(gzip.compress(text))
    there, back = (spinning.freedict(tmp_path / name) for name in ("there", "back"))
    assert there == {"house": ["maison", "foyer"]} and back == {"maison": ["building"], "foyer": ["hearth"]}
    assert spinning.there_and_back(there, back) == {"house": ["building", "hearth"]}
    assert spinning.glossed("Houses, tree.", {"house": ["房子"]}, random.Random(0)) == "房子，。"


def _base64(number: int) -> str:
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return digits[number // 64] + digits[number % 64]


def test_words_of_the_same_meaning_are_exchanged(tmp_path: Path) -> None:
    lines = "# CC-CEDICT\n高興 高兴 [gao1 xing4] /happy/glad/\n快樂 快乐 [kuai4 le4] /happy/\n"
    (tmp_path / "cedict.txt.gz").write_bytes(gzip.compress(lines.encode()))
    assert spinning.cedict(tmp_path / "cedict.txt.gz") == {
        "高兴": ["快乐"],
        "快乐": ["高兴"],
    }


def test_words_are_moved_a_little_and_none_is_lost() -> None:
    text = "one two three, four five six. seven eight!"
    made = spinning.moved(text, "en", random.Random(1))
    assert made != text and sorted(spinning.units(made, "en")) == sorted(spinning.units(text, "en"))
    assert spinning.units(made, "en")[::2] == spinning.units(text, "en")[::2]


def test_words_are_exchanged_for_any_others() -> None:
    made = spinning.drawn("some words of a text", "en", ["other"], 1, random.Random(0))
    assert made == "other other of a other"
    assert spinning.drawn("中文字", "zh", ["哈"], 1, random.Random(0)) == "哈哈"


def test_borrowed_generators_expand_their_templates(tmp_path: Path) -> None:
    rng = random.Random(0)
    data = {"T[say]": ["On x: T[what]!"], "T[what]": ["yes"]}
    (tmp_path / "a_cn.json").write_text(json.dumps({"name": "zh", "data": data, "rules": [["T[say]"]]}))
    made = borrowed.essay(tmp_path / "a_cn.json", "zh", rng)
    assert any(f"On {topic}: yes!" in made for topic in borrowed.TOPICS["zh"]) and "T[" not in made
    (tmp_path / "p.py").write_text('from typing import Dict\nwords: Dict = {"n": ["tea"]}\n')
    assert borrowed.literal(tmp_path / "p.py") == {"n": ["tea"]}
    assert set(borrowed.platitudes({"a": ["Be ${n}."]}, {"n": ["tea"]}, rng).split()) == {"Be", "tea."}
    chain = {"a b": {"transitions": ["a"], "weights": [1.0]}, "b a": {"transitions": ["b"], "weights": [1.0]}}
    assert set(borrowed.chained(chain, ["a b"], rng).split(" ")) == {"a", "b"}
    (tmp_path / "f.js").write_text("'\\u7684\\u4e00'")
    assert set(borrowed.strung(tmp_path / "f.js", rng)) <= set("的一，。")
