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


def test_an_answer_of_several_lines_is_told_below_its_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "wordings", "programming"]) == 0
    first = capsys.readouterr().out.split("\n\n")[0].splitlines()
    at = next(place for place, line in enumerate(first) if line.startswith("  -> def "))
    assert at + 1 < len(first)
    assert all(line.startswith("       ") for line in first[at + 1 :])


def test_a_share_of_generated_problems_stands_in_conversations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = dict[str, set[str]]()
    for split in ("train", "test"):
        file = tmp_path / f"{split}.jsonl"
        options = ["--domains", "word_problems", "--levels", "1", "--count", "60", "--split", split]
        assert main(["data", "generate", str(file), *options, "--conversations", "0.8"]) == 0
        assert main(["data", "check", str(file)]) == 0
        records = list(read_records(file))
        assert len(records) == 60
        assert 20 < sum(bool(record.messages) for record in records) < 60
        messages = [one for record in records for one in record.messages]
        told[split] = {one.content for one in messages if one.role == "system"}
    assert told["train"] and told["test"]
    assert not told["train"] & told["test"]
    capsys.readouterr()
    assert main(["data", "generate", str(file), "--conversations", "1.5"]) == 2
    assert "--conversations" in capsys.readouterr().err


def test_check_names_every_fault_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.jsonl"
    steps = {"input": "What is 1 + 1?", "output": "2", "steps": ["1 + 1 = 2", "1 + 1 = 3", "and so on"]}
    named = {"input": "a", "output": "b", "id": "x"}
    lines = [json.dumps({"input": "a"}), json.dumps(named), "nonsense", json.dumps(steps), json.dumps(named)]
    file.write_text("\n".join(lines))
    assert main(["data", "check", str(file)]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        f"{file}:1: key 'output' is missing: a record needs input and output",
        f"{file}:3: not a JSON object (Expecting value: line 1 column 1 (char 0)): "
        'write {"input": "…", "output": "…"}',
        f"{file}:5: id 'x' is that of line 2, too",
        f"{file}:4: step 2 '1 + 1 = 3' is invalid: 1 + 1 is 2, not 3; right: 2",
        "own level 1: 3 records",
        "steps: 1 invalid, 1 unsupported, 1 valid",
    ]
    faults = "2 of 5 lines are bad, 1 ids are repeated, 1 of 3 steps are invalid"
    assert captured.err == f"tuili: error: {file}: {faults}\n"


@pytest.mark.parametrize("fault", [{"id": "x"}, {"steps": ["1 + 1 = 3"]}])
def test_one_fault_is_enough_for_exit_code_1(
    fault: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.jsonl"
    sound = {"input": "a", "output": "b", "id": "x", "steps": ["1 + 1 = 2", "some prose"]}
    file.write_text(json.dumps(sound))
    assert main(["data", "check", str(file)]) == 0
    file.write_text(json.dumps(sound) + "\n" + json.dumps({"input": "a", "output": "b"} | fault))
    assert main(["data", "check", str(file)]) == 1
    assert "mine.jsonl:2: " in capsys.readouterr().out


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
    assert main(["data", "import", str(file), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 of 4: every calculation is valid and one gives the answer",
        "1 of 4: no calculation gives the answer",
        "1 of 4: a result is rounded",
        "1 of 4: no calculation is written out",
        f"{out}: 1 questions",
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
