"""`tuili eval --data`: files in every form, asked of Tuili's own models, of taught ones and of writers of prose."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.engine.reciting import reciting, speechless
from tests.engine.reciting_prose import reciting_prose
from tests.store.dense_folders import save_dense
from tuili.cli.app import main
from tuili.engine import Engine, Sequence
from tuili.eval import wilson_interval
from tuili.store import ThinkingSettings, write_thinking_file

MWP = [
    {"question": "Tom has 3 bags of 4 apples. How many?", "answer": "12", "equation": "* 3 4"},
    {"question": "He runs 10 laps, 3 a minute. How many minutes?", "answer": "3.333333333333333", "equation": "/ 10 3"},
    {"question": "Ann has 41 and 57, and loses 3. How many?", "answer": "95", "equation": "- + 41 57 3"},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("own") / "model")


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_dense(tmp_path_factory.mktemp("imported") / "model")


def taught(imported: Path, folder: Path) -> Path:
    """An imported model that was taught to think in steps."""
    for file in imported.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "tuili").mkdir()
    write_thinking_file(folder, ThinkingSettings("steps"))
    return folder


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def answers(monkeypatch: pytest.MonkeyPatch, engine: tuple[Engine, list[Sequence]]) -> list[Sequence]:
    """Have this engine asked in place of the one of the folder. Returns its sequences."""
    monkeypatch.setattr("tuili.eval.file_evaluation.load_engine", lambda *_, **__: engine[0])
    return engine[1]


def measured(model: Path, data: Path, *options: str) -> dict[str, Any]:
    """The report of a model on a file."""
    report = data.with_name("report.json")
    assert main(["eval", str(model), "--data", str(data), "--json", str(report), *options]) == 0
    document: dict[str, Any] = json.loads(report.read_text())
    return document


def test_a_file_is_scored_by_value_and_by_the_last_number(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right, right but for the words, wrong, and cut off before the answer."""
    answered = {"one?": "12.0", "two?": "It is 1,200.0 m", "three?": "13 12 or 14", "four?": None}
    right = {"one?": "12", "two?": "1200 m", "three?": "12", "four?": "12"}
    texts = [
        "<think>\n" + ("1 = 1\n" * 90 if answer is None else "1 = 1\n2 = 3\n") + f"</think>{answer}"
        for answer in answered.values()
    ]
    answers(monkeypatch, reciting(speechless(), *texts))
    page = tmp_path / "report.html"
    records = [{"input": prompt, "output": answer, "id": prompt} for prompt, answer in right.items()]
    records[-1] |= {"level": 2, "domain": "knights"}
    data = written(tmp_path / "mine.jsonl", *records)
    report = measured(model, data, "--html", str(page))
    assert (report["accuracy"], report["lenient"], report["unparseable"], report["problems"]) == (0.25, 0.5, 1, 4)
    assert report["ci95"] == list(wilson_interval(1, 4))
    assert report["lenient_ci95"] == list(wilson_interval(2, 4))
    cells = {(cell["domain"], cell["level"]): cell for cell in report["cells"]}
    own, knights = cells["own", 1], cells["knights", 2]
    assert (own["n"], own["accuracy"], own["lenient"], own["unparseable"]) == (3, 1 / 3, 2 / 3, 0)
    assert (knights["n"], knights["accuracy"], knights["lenient"], knights["unparseable"]) == (1, 0, 0, 1)
    assert (own["valid_steps"], own["complete"], knights["complete"]) == (0.5, 1.0, 0.0)
    assert report["steps"]["invalid"] == 3
    assert report["steps"]["valid"] > 60
    sha256 = hashlib.sha256(data.read_bytes()).hexdigest()
    settings = report["settings"]
    assert settings["data"] == {"file": "mine.jsonl", "sha256": sha256}
    assert (settings["split"], settings["seed"], settings["max_steps"], settings["max_tokens"]) == (None, None, 1, 400)
    assert (settings["threshold"], report["runtime"]) == (0.9, "scripted, fp32")
    assert {sample["id"] for sample in report["samples"]} <= set(right)
    assert [point["depth"] for point in report["depth"]["points"]] == ["auto"]
    assert "problems of mine.jsonl, compared: whole answer, numbers by value" in page.read_text()
    assert "unmatched" not in report
    shown = capsys.readouterr().out
    for line in (
        "25.0% (95%: 4.6% – 69.9%) right: whole answer, numbers by value",
        "50.0% (95%: 15.0% – 85.0%) right by the last number",
        "steps: 3 invalid, ",
        "1 of 4 responses without an answer",
    ):
        assert line in shown


def test_a_taught_model_is_compared_by_its_bare_answer(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fraction for a rounded decimal is right, words around a number are not."""
    texts = [
        "<think>\n3 * 4 = 12\n</think>12",
        "<think>\n10 / 3 = 10/3\n</think>10/3",
        "<think>\n41 + 57 = 98\n98 - 3 = 96\n</think>It is 95",
    ]
    answers(monkeypatch, reciting_prose(*texts))
    model = taught(imported, tmp_path)
    report = measured(model, written(tmp_path / "mine.jsonl", *MWP))
    assert report["compared"] == "whole answer, numbers by value"
    assert (report["accuracy"], report["lenient"]) == (2 / 3, 1.0)
    assert [(cell["domain"], cell["level"], cell["accuracy"]) for cell in report["cells"]] == [
        ("word_problems", 1, 1.0),
        ("word_problems", 2, 0.0),
    ]
    assert report["steps"] == {"valid": 3, "invalid": 1}
    (wrong,) = (sample for sample in report["samples"] if not sample["correct"])
    assert [step["expected"] for step in wrong["steps"]] == [None, "95"]


def test_the_checker_calculates_where_it_is_told_to(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a wrong value, repairing keeps nothing."""
    texts = ["<think>\n41 + 57 = 99\n</think>98"]
    model, data = taught(imported, tmp_path), written(tmp_path / "mine.jsonl", MWP[0])
    answers(monkeypatch, reciting_prose(*texts))
    report = measured(model, data)
    assert (report["calculator"], report["steps"]) == ("off", {"invalid": 1})
    answers(monkeypatch, reciting_prose(*texts))
    report = measured(model, data, "--calculator", "repair")
    assert (report["calculator"], report["steps"]) == ("repair", {"valid": 1})


def test_prose_is_compared_by_its_last_number(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["There are 3 bags, so 12 apples.", "It takes him 3.33 minutes", "41 + 57 = 98, so 95, I think, of 98."]
    sequences = answers(monkeypatch, reciting_prose(*texts))
    report = measured(imported, written(tmp_path / "mine.jsonl", *MWP))
    assert (report["compared"], report["accuracy"]) == ("last number of the prose", 1 / 3)
    assert "33.3% (95%: 6.1% – 79.2%) right: last number of the prose" in capsys.readouterr().out
    assert len(sequences) == 3
    assert report["steps"] == {}


def test_sources_are_told_apart(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, reciting(speechless(), *(f"<think>\n1 + 1 = 2\n</think>{number}" for number in (2, 2, 3))))
    records = [{"input": "1 + 1?", "output": "2", "source": source} for source in ("gsm8k", "mine", "mine")]
    report = measured(model, written(tmp_path / "mine.jsonl", *records))
    assert {source: (of["problems"], of["accuracy"]) for source, of in report["sources"].items()} == {
        "gsm8k": (1, 1.0),
        "mine": (2, 0.5),
    }
    assert "50.0% (95%: 9.5% – 90.5%) right of 2 of mine" in capsys.readouterr().out


def test_files_that_change_while_the_model_answers_are_told_as_they_were_read(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = written(tmp_path / "mine.jsonl", {"input": "1 + 1?", "output": "2"})
    seen = written(tmp_path / "seen.jsonl", {"input": "1 + 1?", "output": "2"})
    hashes = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (data, seen)]
    engine, _ = reciting(speechless(), "<think>\n1 + 1 = 2\n</think>2")

    def load(*_: object, **__: object) -> Engine:
        data.write_text("changed")
        seen.unlink()
        return engine

    monkeypatch.setattr("tuili.eval.file_evaluation.load_engine", load)
    settings = measured(model, data, "--seen", str(seen))["settings"]
    assert [settings["data"]["sha256"], settings["seen"][0]["sha256"]] == hashes


@pytest.mark.parametrize("form", ["auto", "gsm8k", "mwp", "records"])
def test_every_form_is_asked(form: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {
        "gsm8k": {"question": "Q?", "answer": "So <<3*4=12>>12.\n#### 12"},
        "mwp": {"question": "Q?", "answer": "12", "equation": "* 3 4"},
        "records": {"input": "Q?", "output": "12"},
    }
    for line in lines.values() if form == "auto" else [lines[form]]:
        answers(monkeypatch, reciting(speechless(), "<think>\n3 * 4 = 12\n</think>12"))
        report = measured(model, written(tmp_path / "mine.jsonl", line), "--form", form)
        assert (report["accuracy"], report["settings"]["form"]) == (1.0, form)


def test_questions_that_training_has_but_for_numbers_are_left_out_of_a_second_figure(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chains = ["3 * 4 = 12\n</think>12", "10 / 3 = 10/3\n</think>10/3", "41 + 57 = 98\n</think>98"]
    seen = written(tmp_path / "train.jsonl", MWP[0] | {"question": "tom has 7 bags of twenty apples, how many"})
    other = written(
        tmp_path / "gsm8k.jsonl", {"question": "Eva has 1 and 2, and loses 1. How many?", "answer": "#### 2"}
    )
    data = written(tmp_path / "mine.jsonl", *MWP)
    answers(monkeypatch, reciting(speechless(), *(f"<think>\n{chain}" for chain in chains)))
    report = measured(model, data, "--seen", str(seen), "--seen", str(other), "--html", str(tmp_path / "page.html"))
    assert report["accuracy"] == 2 / 3
    assert report["unmatched"] == {"problems": 2, "accuracy": 0.5, "ci95": list(wilson_interval(1, 2))}
    assert report["unlike"] == {"problems": 1, "accuracy": 1.0, "ci95": list(wilson_interval(1, 1))}
    assert [file["file"] for file in report["settings"]["seen"]] == ["train.jsonl", "gsm8k.jsonl"]
    shown = capsys.readouterr().out
    assert "right of the 2 questions that train.jsonl, gsm8k.jsonl have not, numbers aside" in shown
    assert "right of the 1 of which no question there has four fifths of the words" in shown
    page = (tmp_path / "page.html").read_text()
    assert "50.0% right of the 2 that train.jsonl, gsm8k.jsonl" in page
    assert "100.0% of the 1 of which no question there" in page
    answers(monkeypatch, reciting(speechless(), *(f"<think>\n{chain}" for chain in chains)))
    report = measured(model, data, "--seen", str(data))
    assert report["unmatched"] == report["unlike"] == {"problems": 0, "accuracy": None, "ci95": [0.0, 1.0]}
    assert "none of the questions is new" in capsys.readouterr().out


def test_a_further_attempt_answers_where_the_first_has_a_wrong_step(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path / "mine.jsonl", MWP[0])
    for options, accuracy, attempts in (
        ((), 0.0, 1),
        (("--max-steps", "2"), 1.0, 2),
        (("--max-attempts", "3"), 1.0, 2),
    ):
        answers(monkeypatch, reciting(speechless(), "<think>\n3 * 4 = 13\n</think>13", "</think>12"))
        report = measured(model, data, *options)
        assert (report["accuracy"], report["attempts"]) == (accuracy, attempts)
        shares = {1: None, 2: {"1": 0.0, "2": 1.0}, 3: {"1": 0.0, "2": 1.0, "3": 1.0}}
        assert report.get("by_attempts") == shares[report["settings"]["max_steps"]]
        assert ("right after attempts: at most 1: 0.0%, at most 2: 100.0%" in capsys.readouterr().out) is bool(options)


def test_all_attempts_vote(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    votes = [f"<think>\n1 + 1 = 2\n</think>{answer}" for answer in ("13", "12", "12")]
    answers(monkeypatch, reciting(speechless(), *votes))
    data = written(tmp_path / "mine.jsonl", MWP[0])
    report = measured(model, data, "--max-attempts", "3", "--all-attempts")
    assert (report["accuracy"], report["attempts"]) == (1.0, 3)
    assert report["by_attempts"] == {"1": 0.0, "2": 0.0, "3": 1.0}
    assert "right after attempts: 1: 0.0%, 2: 0.0%, 3: 100.0%" in capsys.readouterr().out
    (shown,) = report["samples"]
    assert (shown["answer"], shown["receipt"]["reason"], shown["receipt"]["outcome"]) == ("12", "", "answered")
    answers(monkeypatch, reciting(speechless(), *votes))
    assert measured(model, data, "--max-attempts", "3")["attempts"] == 1


def test_the_checker_calculates_where_that_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = written(tmp_path / "sums.jsonl", {"input": "What is 7 + 8?", "output": "15"})
    for options, mode, writer in (((), "off", "model"), (("--calculator", "forced"), "forced", "checker")):
        report = measured(Path("nano"), data, *options)
        assert (report["accuracy"], report["calculator"]) == (1.0, mode)
        assert report["written_by"] == {writer: 1}
        assert ("the checker wrote the values of 1" in capsys.readouterr().out) is (writer == "checker")


@pytest.mark.parametrize("kind", ["own", "imported"])
def test_a_real_model_is_measured_sixteen_questions_at_a_time(
    kind: str, model: Path, imported: Path, tmp_path: Path
) -> None:
    folder = {"own": model, "imported": imported}[kind]
    data = written(tmp_path / "mine.jsonl", *MWP * 7)
    options = ("--max-tokens", "8", "--depth", "4", "--numbers", "fp32", "--runner", "torch")
    report = measured(folder, data, *options)
    assert (report["problems"], report["runtime"]) == (21, "torch, fp32")
    assert report["tokens"] <= 21 * 8
    assert report["mean_depth"] == 4.0
    assert report["model_hash"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--data", "x", "--levels", "1"], "--data brings its own problems"),
        (["--data", "x", "--full"], "leave them out with --data"),
        (["--data", "x", "--card"], "leave them out with --data"),
        (["--data", "x", "--conversations"], "leave them out with --data"),
        (["--data", "x", "--language", "en"], "--data brings its own problems"),
        (["--form", "mwp"], "are for the questions of a file: give --data FILE, too"),
        (["--seen", "x"], "are for the questions of a file: give --data FILE, too"),
        (["--max-tokens", "9"], "are for the questions of a file: give --data FILE, too"),
        (["--calculator", "off"], "are for the questions of a file: give --data FILE, too"),
        (["--all-attempts"], "are for the questions of a file: give --data FILE, too"),
        (["--data", "mine.jsonl", "--form", "mwp"], "mine.jsonl:1: question is no text"),
        (["--data", "mine.jsonl", "--form", "csv"], "csv"),
        (["--data", "mine.jsonl", "--seen", "none.jsonl"], "none.jsonl cannot be read"),
        (["--data", "mine.jsonl", "--seen", "bad.jsonl"], "bad.jsonl:1: in no known form"),
        (["--data", "mine.jsonl", "--max-steps", "0"], "--max-steps = 0"),
        (["--data", "mine.jsonl", "--max-steps", "2", "--max-attempts", "3"], "the same limit"),
        (["--data", "mine.jsonl", "--all-attempts"], "give max_attempts = 2 or more"),
        (["--data", "mine.jsonl", "--depth", "5"], "depth 5 is no exit of this model"),
        (["--data", "mine.jsonl", "--depth", "2", "--threshold", "0.5"], "counts only where depth is auto"),
        (["--data", "mine.jsonl", "--threshold", "1.5"], "threshold 1.5 is no probability"),
    ],
)
def test_what_cannot_be_measured_on_a_file_is_refused(
    options: list[str], named: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "mine.jsonl", {"input": "1 + 1", "output": "2"})
    written(tmp_path / "bad.jsonl", {"prompt": "1 + 1"})
    assert main(["eval", str(model), *options]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1


def test_an_imported_model_is_measured_on_files_alone(imported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(imported)]) == 2
    assert "is an imported model, and is measured on a file: give --data FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ({"input": "a"}, ["mine.jsonl:2", "'output' is missing"]),
        ({"question": "a", "answer": "#### 1"}, ["mine.jsonl:2", "in the form of gsm8k"]),
        ({"input": "1 + " * 2000, "output": "b"}, ["mine.jsonl:2", "tokens", "51"]),
    ],
)
@pytest.mark.parametrize(("verb", "kind"), [("eval", "own"), ("eval", "imported"), ("calibrate", "own")])
def test_a_bad_line_of_a_file_is_named(
    verb: str, kind: str, line: object, named: list[str], model: Path, imported: Path, tmp_path: Path, capsys: Any
) -> None:
    data = written(tmp_path / "mine.jsonl", {"input": "a", "output": "b"}, line)
    assert main([verb, str({"own": model, "imported": imported}[kind]), "--data", str(data)]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert all(name in error for name in named), error
