"""`tuili data show`: readable with and without colour, as a page, and harmless whatever stands in the records."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.refusals import refusal
from tests.store.dense_folders import save_dense
from tuili.cli.app import main
from tuili.data import Record, write_records

HOSTILE = "\x1b[31mred\x1b]0;title\x07 \u202eabc [bold]x[/bold] <b>&amp;</b> :100: :warning:"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("dense") / "model", tie_word_embeddings=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    records = [
        Record(input="What is 48 / 2?", output="24", steps=("48 / 2 = 24",), id="right"),
        Record(input="What is 48 + 24?", output="73", steps=("48 + 24 = 73", "so it goes"), id="wrong"),
        Record(input="Words " * 400, output="7", id="long"),
    ]
    write_records(path, records)
    return path


def show(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[str]:
    assert main(["data", "show", *map(str, arguments)]) == 0
    return capsys.readouterr().out.splitlines()


def test_without_colour_all_is_said_by_signs(file: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = show(capsys, file, "--model", sound)
    assert "\x1b" not in "".join(lines)
    assert "    <|begin|><|user|>What is 48 / 2?<|assistant|>" in lines
    assert "+ ✓ 48 / 2 = 24↵" in lines
    assert "+   </think>24<|end|>" in lines
    (wrong,) = (line for line in lines if line.startswith("+ ✗ 48 + 24 = 73↵"))
    assert "right: 72" in wrong
    assert any(line.startswith("+ · so it goes↵") for line in lines)
    assert any(line.startswith("LEFT OUT, nothing is learnt: it has ") for line in lines)
    assert lines.count("---- a row ends here ----") == 1
    assert lines[-1].startswith("3 records, 1 of them left out: ")
    assert lines[-1].endswith("; steps: 1 valid, 1 invalid, 1 unsupported")


def test_in_a_terminal_there_is_colour_unless_it_is_not_wanted(
    file: Path, sound: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    coloured = "\n".join(show(capsys, file, "--model", sound))
    assert "\x1b[32m" in coloured and "\x1b[31m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = "\n".join(show(capsys, file, "--model", sound))
    assert "\x1b[32m" not in plain and "\x1b[31m" not in plain
    assert "✗" in plain


def test_a_record_is_chosen_by_its_number(file: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = show(capsys, file, "--model", sound, "--record", "2")
    assert [line for line in one if line.startswith(("right:", "wrong:", "long:"))] == ["wrong: own, level 1"]
    two = show(capsys, file, "--model", sound, "--record", "2", "--limit", "2")
    assert two[-1].startswith("2 records")
    assert "has no record 4" in refusal(capsys, "data", "show", str(file), "--model", str(sound), "--record", "4")


def test_tokens_are_set_apart(file: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = show(capsys, file, "--model", sound, "--record", "1", "--tokens")
    (step,) = (line for line in lines if line.startswith("+ ✓"))
    assert step.startswith("+ ✓ 4¦8¦")


def test_rows_are_shown_with_their_padding(file: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--model", sound, "--packed", "--limit", "2", "train.length=128")
    lines = show(capsys, file, *options)
    used = [int(line.split(", ")[1].split(" of ")[0]) for line in lines if line.startswith("row ")]
    assert len(used) == 2
    padding = [128 - tokens for tokens in used if tokens < 128]
    assert padding
    assert [line for line in lines if "padding" in line] == [
        f"{count} places of padding, not learnt" for count in padding
    ]
    (left_out,) = (line for line in lines if "left out" in line)  # the third record, each time that it is drawn
    assert re.fullmatch(rf"{re.escape(str(file))}: left out [1-9]\d* of \d+ documents, longer than a row", left_out)


def test_records_are_shown_before_a_later_one_is_read(
    file: Path, sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with file.open("a") as lines:
        lines.write("no record\n")
    assert main(["data", "show", str(file), "--model", str(sound)]) == 2
    out, error = capsys.readouterr()
    assert "+ ✓ 48 / 2 = 24↵" in out
    assert "mine.jsonl:4" in error


def test_an_imported_model_is_shown_by_its_template_with_masked_results(
    tmp_path: Path, imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sums.jsonl"
    file.write_text(json.dumps({"question": "Add 2 and 5.", "equation": "+ 2 5", "answer": "7"}) + "\n")
    lines = show(capsys, file, "--model", imported, "teach.length=128")
    before = lines.index("before every row")
    assert lines[before + 1] == "    <|im_start|>user↵"
    (step,) = (line for line in lines if line.startswith("+ ✓"))
    assert step.replace(" ", "").startswith("+✓2+5=⟦7⟧↵")
    learnt = show(capsys, file, "--model", imported, "teach.length=128", "teach.results=learnt")
    assert not any("⟦7" in line for line in learnt)


def test_a_page_is_written(file: Path, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    (line,) = show(capsys, file, "--model", sound, "--html", page)
    assert line.startswith(f"{page}: 3 records, 1 of them left out")
    text = page.read_text()
    assert "right: 72" in text and "LEFT OUT" in text and "a row ends here" in text


def test_hostile_records_are_shown_harmlessly(tmp_path: Path, sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hostile.jsonl"
    fields = {"input": HOSTILE, "output": HOSTILE, "domain": HOSTILE, "id": HOSTILE, "steps": [f"{HOSTILE} = 1"]}
    file.write_text(json.dumps(fields) + "\n")
    shown = "\n".join(show(capsys, file, "--model", sound))
    assert not {"\x1b", "\x07", "\u202e", "\N{HUNDRED POINTS SYMBOL}", "\N{WARNING SIGN}"} & set(shown)
    harmless = r"\x1b[31mred\x1b]0;title\x07 \u202eabc [bold]x[/bold] <b>&amp;</b> :100: :warning:"
    assert f"{harmless}: {harmless}, level 1" in shown.splitlines()  # the title
    assert f"    <|begin|><|user|>{harmless}<|assistant|>" in shown.splitlines()
    assert any(line.startswith(f"+ · {harmless} = 1↵   ") for line in shown.splitlines())
    assert f"+   </think>{harmless}<|end|>" in shown.splitlines()


def test_what_cannot_be_shown_is_refused_in_a_line(
    file: Path, sound: Path, imported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gsm8k = tmp_path / "gsm8k.jsonl"
    gsm8k.write_text('{"question": "How many?", "answer": "So <<1+1=2>>2.\\n#### 2"}\n')
    model = ("--model", str(sound))
    assert "tuili data import" in refusal(capsys, "data", "show", str(gsm8k), *model)
    assert "cannot be read" in refusal(capsys, "data", "show", str(tmp_path / "none.jsonl"), *model)
    assert "leave --record out" in refusal(capsys, "data", "show", str(file), *model, "--packed", "--record", "1")
    too_many = ("--html", str(tmp_path / "page.html"), "--limit", "1001")
    assert "a page has room for 1000" in refusal(capsys, "data", "show", str(file), *model, *too_many)
    assert "would be replaced" in refusal(capsys, "data", "show", str(file), *model, "--html", str(file))
    assert "leave one out" in refusal(capsys, "data", "show", str(file), *model, "--recipe", "smollm2-math")
    other = ("--model", str(imported), "--recipe", "adapt")
    assert "leave one out" in refusal(capsys, "data", "show", str(file), *other)
