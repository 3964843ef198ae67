from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tuili.cli.app import main
from tuili.data.records import read_records, record_schema


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == record_schema()


def test_generated_problems_pass_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "problems.jsonl"
    options = ["--domains", "arithmetic,syllogism", "--levels", "1,3", "--count", "4", "--split", "test"]
    assert main(["data", "generate", str(file), *options]) == 0
    records = list(read_records(file))
    assert len(records) == 16
    assert {(record.domain, record.level) for record in records} == {
        (domain, level) for domain in ("arithmetic", "syllogism") for level in (1, 3)
    }
    capsys.readouterr()
    assert main(["data", "check", str(file)]) == 0
    output = capsys.readouterr().out
    assert "arithmetic level 3: 4 records" in output
    assert output.splitlines()[-1] == f"steps: {sum(len(record.steps) for record in records)} valid"


def test_check_names_every_bad_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"input": "a"}\n{"input": "a", "output": "b"}\nnonsense\n')
    assert main(["data", "check", str(file)]) == 2
    captured = capsys.readouterr()
    assert "mine.jsonl:1: key 'output' is missing" in captured.out
    assert "mine.jsonl:3: not a JSON object" in captured.out
    assert "own level 1: 1 records" in captured.out
    assert captured.err == f"tuili: error: {file}: 2 of 3 lines are bad\n"


def test_gsm8k_becomes_records_and_what_cannot_be_used_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solutions = [
        "Half is <<48/2=24>>24.\n#### 24",
        "So <<3*4=12>>12, less one.\n#### 11",
        "Each gets <<20/3=6.67>>6.67.\n#### 7",
        "Four.\n#### 4",
    ]
    file, out = tmp_path / "train.jsonl", tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps({"question": "Q?", "answer": text}) + "\n" for text in solutions))
    assert main(["data", "gsm8k", str(file), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 of 4: every calculation is valid and one gives the answer",
        "1 of 4: no calculation gives the answer",
        "1 of 4: a result is rounded",
        "1 of 4: no calculation is written out",
        f"{out}: 1 problems",
    ]
    (record,) = read_records(out)
    assert (record.domain, record.steps, record.output) == ("word_problems", ("48 / 2 = 24",), "24")


def test_a_tokenizer_is_trained_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "tokenizer", str(tmp_path / "tok"), "--domains", "arithmetic", "--vocabulary", "300"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("arithmetic: ")
    assert lines[-1].endswith("tok: 300 entries")
    assert len(AutoTokenizer.from_pretrained(tmp_path / "tok")) == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "x.jsonl", "--split", "exam"], "'exam' is no split: use train, validation, test"),
        (["generate", "x.jsonl", "--domains", "magic"], "unknown domain 'magic'"),
        (["generate", "x.jsonl", "--levels", "9"], "level 9 does not exist"),
        (["check", "none.jsonl"], "none.jsonl cannot be read: No such file or directory"),
        (["tokenizer", "tok", "--vocabulary", "9"], "a vocabulary of 9 is out of range: use 263 to 1000000"),
        (["tokenizer", "tok", "--domains", "magic"], "unknown domain 'magic'"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []
