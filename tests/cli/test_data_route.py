"""`tuili data route`: from files of questions and pages to records, with what was refuted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tuili.cli.app import main
from tuili.data import read_records

PAGE = "Question: Ann had 48 clips and got 24 more. How many clips has she?\nAnswer: She has 48 + 24 = 72 clips.\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    gsm8k, mine, page = tmp_path / "gsm8k.jsonl", tmp_path / "mine.jsonl", tmp_path / "page.txt"
    answers = ["So <<48/2=24>>24.\n#### 24", "So <<48/2=25>>25.\n#### 25", "So <<3*4=12>>12.\n#### 11"]
    gsm8k.write_text("".join(json.dumps({"question": "How many are left?", "answer": text}) + "\n" for text in answers))
    mine.write_text(json.dumps({"input": "What is 1 + 1?", "output": "2", "steps": ["1 + 1 = 2"]}) + "\n")
    page.write_text(PAGE)
    return [gsm8k, mine, page]


def route(*arguments: str | Path) -> int:
    return main(["data", "route", *map(str, arguments), "--workers", "0"])


def test_records_of_all_forms_are_extracted(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "extracted"
    assert route(*files, "--records", "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{out}: 3 documents kept, 2 dropped, 0 parts refused")
    assert "1 dropped by route: refuted" in lines and "1 dropped by route: not_derived" in lines
    records = list(read_records(out / "part-00000.jsonl"))
    assert [record.output for record in records] == ["24", "2", "72"]
    assert [record.steps for record in records] == [("48 / 2 = 24",), ("1 + 1 = 2",), ("48 + 24 = 72",)]
    assert not any("without steps" in line for line in lines)
    assert main(["data", "check", str(out / "part-00000.jsonl")]) == 0


def test_what_a_drop_tells_of_a_document_is_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, out = tmp_path / "page.txt", tmp_path / "out"
    page.write_text("Question: How many apples?\nSolution: 3 * 4 = 12\nAnswer: 5\x1b]0;title\x07\n")
    assert route(page, "--out", out) == 0
    capsys.readouterr()
    assert main(["data", "sample", str(out), "--reason", "route/not_derived"]) == 0
    assert r"answer 5\x1b]0;title\x07, step 3 * 4 = 12" in capsys.readouterr().out
    assert main(["data", "sample", str(page)]) == 0
    assert "Answer: 5\\x1b]0;title\\x07\n" in capsys.readouterr().out


def test_documents_are_written_with_their_domains(
    files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "other.txt"
    page.write_text("The committee met and agreed to paint the door before the winter comes.")
    assert route(*files, page, "--out", tmp_path / "all", "--keep-not-derived") == 0
    told = capsys.readouterr().out
    assert "1 kept of none" in told and "not_derived" not in told
    assert route(*files, page, "--out", tmp_path / "routed", "--drop-no-domain") == 0
    assert "1 dropped by route: no_domain" in capsys.readouterr().out
    assert route(files[2], "--out", tmp_path / "whole", "--no-extract", "--records") == 0
    assert "1 dropped by output: no_record" in capsys.readouterr().out


def test_every_row_tells_its_own_form(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "folder", tmp_path / "extracted"
    folder.mkdir()
    (folder / "gsm8k.jsonl.gz").write_bytes(gzip.compress(files[0].read_bytes()))
    page = json.dumps({"text": PAGE}) + "\n"
    (folder / "mixed.jsonl").write_text(page + files[1].read_text() + files[0].read_text())
    assert route(folder, "--records", "--keep-not-derived", "--out", out) == 0
    assert " 0 parts refused" in capsys.readouterr().out
    assert [record.output for record in read_records(out / "part-00000.jsonl")] == ["24", "11", "72", "2", "24", "11"]


def test_records_without_steps_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.jsonl"
    rows = [{"input": "What is 1 + 1?", "output": "2"}, {"input": "And 1 + 2?", "output": "3", "steps": ["1 + 2 = 3"]}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert route(file, "--records", "--out", tmp_path / "extracted") == 0
    assert "1 kept without steps: nothing of them is checked" in capsys.readouterr().out.splitlines()


def test_the_shares_that_are_decided_and_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, out = tmp_path / "page.txt", tmp_path / "extracted"
    page.write_text(PAGE.replace("She has", "He has 24 - 12 = 12k. She has"))
    assert route(page, "--records", "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 steps in 1 records, 100.0% of a record's steps decided" in lines
    assert "50.0% of a problem's calculations in words read as steps" in lines
    told = json.loads((out / "manifest.json").read_text())["checked"]
    assert told == {"records": 1, "steps": 1, "mean_share_decided": 1.0, "mean_share_read": 0.5}
    assert route(page, "--records", "--least-read", "1", "--out", tmp_path / "read") == 0
    assert "1 dropped by route: unread" in capsys.readouterr().out.splitlines()


def test_the_field_of_the_question_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "math.jsonl", tmp_path / "extracted"
    file.write_text(json.dumps({"problem": "What is 3 times 4?", "solution": r"As $3 * 4 = 12$, \boxed{12}."}) + "\n")
    assert route(file, "--records", "--text", "problem", "--out", out) == 0
    assert [record.output for record in read_records(out / "part-00000.jsonl")] == ["12"]
    assert route(file, "--out", tmp_path / "other") == 0
    assert "1 parts refused" in capsys.readouterr().out
