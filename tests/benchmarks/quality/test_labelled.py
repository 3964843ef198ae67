"""The labelled documents of the benchmark of quality: no source serves twice, and each way of making junk does so."""

from __future__ import annotations

import io
import itertools
import re
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from benchmarks.quality import labelled, packages
from benchmarks.quality.junk import grammar

JUNK = Path(grammar.__file__).parent


@pytest.mark.parametrize("pair", [*itertools.combinations(labelled.SPLITS, 2)])
def test_no_package_and_no_form_serves_two_splits(pair: tuple[str, str]) -> None:
    one, other = pair
    assert not packages.sources(one).keys() & packages.sources(other).keys()
    made = {split: grammar.Grammar(JUNK / f"{split}.yaml") for split in pair}
    assert not {*made[one].generators} & {*made[other].generators}
    lines = {
        split: {line for lines in yaml.safe_load((JUNK / f"{split}.yaml").read_text()).values() for line in lines}
        for split in made
    }
    assert all(len(line) < 16 for line in lines[one] & lines[other])  # words of a list


@pytest.mark.parametrize("split", labelled.SPLITS)
def test_every_generator_makes_the_same_junk_every_time_in_its_language(split: str) -> None:
    made = grammar.Grammar(JUNK / f"{split}.yaml")
    assert len(made.generators) > 10
    names = re.findall(r"^(\w+):", (JUNK / f"{split}.yaml").read_text(), re.MULTILINE)
    assert len(names) == len(set(names))
    for generator in made.generators:
        texts = [*made.documents(generator, 6)]
        assert texts == [*made.documents(generator, 6)] and len(set(texts)) == 6
        assert not re.search(r"\{\^?\w+(\*|\})", "".join(texts)), generator
        if generator[:2] == "en" or "log" not in generator:
            assert {labelled.language_of(text) for text in texts} == {generator[:2]}, generator


def test_a_grammar_expands_names_capitals_repetitions_and_numbers(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text('page: ["{^thing} {thing*2-2}{3-3}!"]\nthing: [tea]\n')
    made = grammar.Grammar(tmp_path / "g.yaml")
    assert made.generators == ["page"] and [*made.documents("page", 1)] == ["Tea teatea3!"]


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


def test_mails_and_json_become_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "FOLDER", tmp_path)
    folder = tmp_path / "packages" / "some"
    folder.mkdir(parents=True)
    members = {
        "package/data/spam-1/1.txt": b"Subject: Win\nContent-Type: text/plain\n\nBuy n\xffow\r\n",
        "package/data/spam-1/2.txt": b"Content-Type: text/html\n\n<p>Buy",
        "package/poems.json": b'[{"author": "A", "title": "T", "paragraphs": ["x", "y"]}, {"paragraphs": ["z"]}]',
    }
    with tarfile.open(folder / "some-1.tgz", "w:gz") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    wanted = {"npm": "some", "version": "1", "junk": ["*/spam-*"], "files": ["*.json"]}
    uses = packages.unpack("some", wanted, tmp_path / "test")
    junk = {file.name: file.read_text() for file in uses["junk"].iterdir()}
    assert junk == {"package~data~spam-1~1.txt.txt": "Buy now\n", "package~data~spam-1~2.txt.html": "<p>Buy"}
    (poems,) = uses["good"].iterdir()
    assert poems.read_text() == "T\nx\ny\n\nz\n"
