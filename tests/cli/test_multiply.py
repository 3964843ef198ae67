from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tuili.cli.app import main
from tuili.data import original_id, read_records

QUESTIONS = (
    {"question": "Tom has 14 cards. He buys 23 more. How many cards has he?", "answer": "37", "equation": "+ 14 23"},
    {"question": "Ann has 24 beads in 3 equal bags. How many in each?", "answer": "8", "equation": "/ 24 3"},
    {"question": "How long is a week of work?", "answer": "40", "equation": "* 5 8"},
)


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_questions_are_multiplied_and_those_that_are_not_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = written(tmp_path / "mine.jsonl", *QUESTIONS), tmp_path / "more.jsonl"
    assert main(["data", "multiply", str(file), "--times", "4", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "2 of 3 multiplied, 0 of these fewer than 4 times",
        "1 of 3 not: a number of a step stands neither in the question nor in an earlier step",
        f"{out}: 8 records",
    ]
    records = list(read_records(out))
    assert [record.id for record in records] == [f"mine/{line}/x{number}" for line in (1, 2) for number in (1, 2, 3, 4)]
    assert main(["data", "check", str(out)]) == 0


def test_nothing_is_made_of_what_is_held_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = written(tmp_path / "mine.jsonl", *QUESTIONS), tmp_path / "more.jsonl"
    held = written(
        tmp_path / "held.jsonl", {"question": "Ann has 9 beads in 2 equal bags. How many in each?", "answer": "#### 5"}
    )
    assert main(["data", "multiply", str(file), "--times", "9", "--out", str(out), "--held-back", str(held)]) == 0
    assert "1 of 3 not: with numbers masked it is a question that is held back" in capsys.readouterr().out.splitlines()
    assert {original_id(record.id) for record in read_records(out)} == {"mine/1"}


@pytest.mark.parametrize(
    ("verb", "lines", "reason"),
    [
        ("multiply", QUESTIONS[2:], "no record could be multiplied"),
        ("import", [{"question": "Why?", "answer": "So.\n#### 4"}], "no question has steps that may be trained on"),
    ],
)
def test_where_there_is_nothing_to_write_no_file_is_written(
    verb: str, lines: Sequence[object], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = written(tmp_path / "mine.jsonl", *lines), tmp_path / "more.jsonl"
    assert main(["data", verb, str(file), "--out", str(out)]) == 1
    told = capsys.readouterr()
    assert f"{out} is not written: {reason}" in told.err
    assert "1 of 1" in told.out
    assert not out.exists()


@pytest.mark.parametrize("verb", ["multiply", "import"])
def test_what_is_read_is_not_replaced(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "mine.jsonl", *QUESTIONS)
    before, link = file.read_bytes(), tmp_path / "link.jsonl"
    link.symlink_to(file)
    for out in (file, link):
        assert main(["data", verb, str(file), "--out", str(out)]) == 2
        assert f"{out} is read, and would be replaced: give --out another place" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_the_same_records_are_made_in_every_process(tmp_path: Path) -> None:
    """Sets of words have another order in each."""
    file = written(tmp_path / "mine.jsonl", *QUESTIONS)
    made = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.jsonl"
        command = [sys.executable, "-m", "tuili", "data", "multiply", str(file), "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": seed})
        made.append(out.read_text())
    assert made[0] == made[1]


def test_bad_lines_stop_the_run_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = written(tmp_path / "mine.jsonl", *QUESTIONS, {"question": "?"}), tmp_path / "more.jsonl"
    assert main(["data", "multiply", str(file), "--out", str(out)]) == 2
    assert f"{file}:4: " in capsys.readouterr().err
    assert not out.exists()
    assert main(["data", "multiply", str(file), "--out", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err
