"""The labelled documents of the benchmark of quality: no source serves twice, and each way of making junk does so."""

from __future__ import annotations

import gzip
import json
import random
import re
import zipfile
from pathlib import Path

import pytest
import yaml

from benchmarks.quality import labelled, packages
from benchmarks.quality.junk import grammar, spinning

JUNK = Path(grammar.__file__).parent


def test_no_package_and_no_form_serves_both_training_and_test() -> None:
    assert not packages.sources("training").keys() & packages.sources("test").keys()
    made = {split: grammar.Grammar(JUNK / f"{split}.yaml") for split in ("training", "test")}
    assert not {*made["training"].generators} & {*made["test"].generators}
    lines = {
        split: {line for lines in yaml.safe_load((JUNK / f"{split}.yaml").read_text()).values() for line in lines}
        for split in made
    }
    assert all(len(line) < 16 for line in lines["training"] & lines["test"])  # words of a list


@pytest.mark.parametrize("split", ["training", "test"])
def test_every_generator_makes_the_same_junk_every_time_in_its_language(split: str) -> None:
    made = grammar.Grammar(JUNK / f"{split}.yaml")
    assert len(made.generators) > 10
    names = re.findall(r"^(\w+):", (JUNK / f"{split}.yaml").read_text(), re.MULTILINE)
    assert len(names) == len(set(names))
    for generator in made.generators:
        texts = [*made.documents(generator, 6)]
        assert texts == [*made.documents(generator, 6)] and len(set(texts)) == 6
        assert not re.search(r"\{\^?\w+(\*|\})", "".join(texts)), generator
        if not generator.endswith("build_log"):
            assert {labelled.language_of(text) for text in texts} == {generator[:2]}, generator


def test_a_grammar_expands_names_capitals_repetitions_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text('page: ["{^thing} {thing*2-2}{3-3}!"]\nthing: [tea]\n')
    made = grammar.Grammar(tmp_path / "g.yaml")
    assert made.generators == ["page"] and [*made.documents("page", 1)] == ["Tea teatea3!"]


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


def test_pieces_end_where_paragraphs_do_and_hold_the_whole_text() -> None:
    text = "\n".join(f"{'word ' * 300}{number}\n" for number in range(20)) + "x" * 15_000
    pieces = [*labelled._pieces(text)]
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= labelled.PIECE and len(pieces) > 6
    assert all(piece.endswith("\n") for piece in pieces[:4])


def test_a_package_is_unpacked_by_what_its_files_are_good_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "FOLDER", tmp_path)
    folder = tmp_path / "packages" / "some"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "some-1.whl", "w") as wheel:
        wheel.writestr("some-1.dist-info/METADATA", "Name: some\n\nWhat it is.\n")
        wheel.writestr("docs/a.html", "<p>A page</p>")
        wheel.writestr("docs/genindex.html", "<p>An index</p>")
        wheel.writestr("docs/man/man1/a.1", '.\\" comment\n.TH A 1\n.SH NAME\na \\- does \\fBit\\fR\n')
        wheel.writestr("picture.man/man1/b.1", b"\xff\xfe\x00")
        wheel.writestr("some/code.py", "1")
    wanted = {"version": "1", "files": ["*.html", "*/man/*"], "junk": ["*/genindex.html"]}
    uses = packages.unpack("some", wanted, tmp_path / "test")
    good = {file.name: file.read_text() for file in uses["good"].iterdir()}
    assert good == {
        "some-1.dist-info~METADATA.txt": "What it is.\n",
        "docs~a.html.html": "<p>A page</p>",
        "docs~man~man1~a.1.txt": "A 1\nNAME\na - does it\n",
    }
    assert [file.name for file in uses["junk"].iterdir()] == ["docs~genindex.html.html"]
    assert not uses["lists"].exists() and packages.archive_name("some", tmp_path / "test") == "some-1.whl"
    assert packages.unpack("some", wanted, tmp_path / "test") == uses
